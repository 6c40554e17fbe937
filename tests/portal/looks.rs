//! A page as people have it before them: light, dark, on a telephone. Each look is checked, and kept as a picture.

use crate::browser::Browser;
use serde_json::{Value, json};
use std::{path::Path, process::Command};

const DESK: (u32, u32) = (1280, 900);
/// A telephone's width, which is narrower than most.
const TELEPHONE: (u32, u32) = (390, 844);
/// The README's pictures are smaller than a screen, and of these tenants.
const DOCUMENT: (u32, u32) = (1000, 620);
const DOCUMENTED: [&str; 2] = ["beta", "delta"];

impl Browser {
    /// The page that is shown passes in every look: nothing that axe calls serious, nothing that sticks out on a telephone.
    pub async fn looked(&self, name: &str) {
        self.screen(DESK, "light").await;
        self.accessible().await;
        self.whole(DESK, name).await;
        self.screen(DESK, "dark").await;
        self.readable().await;
        self.whole(DESK, &format!("{name}-dark")).await;
        self.screen(TELEPHONE, "light").await;
        self.fits().await;
        self.whole(TELEPHONE, &format!("{name}-telephone")).await;
        self.screen(DESK, "light").await;
    }

    /// A picture for the README, taken anew with `UPDATE_SNAPSHOTS=1`.
    pub async fn document(&self, tenant: &str, name: &str) {
        if std::env::var_os("UPDATE_SNAPSHOTS").is_none() || !DOCUMENTED.contains(&tenant) {
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
        std::fs::create_dir_all(&folder).expect("a folder");
        self.screen(DOCUMENT, "light").await;
        let file = folder.join(format!("{name}.png"));
        self.chromium.driver.screenshot(&file).await.expect("a picture");
        let smaller = Command::new("mogrify").args(["-strip", "+dither", "-colors", "128"]).arg(&file).status();
        assert!(smaller.expect("imagemagick is installed").success());
        self.screen(DESK, "light").await;
    }

    async fn screen(&self, (width, height): (u32, u32), scheme: &str) {
        let devtools = self.chromium.driver.cdp();
        let media = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        devtools.send_raw("Emulation.setEmulatedMedia", media).await.expect("chromium changes its colours");
        let hidden = json!({"hidden": true});
        devtools.send_raw("Emulation.setScrollbarsHidden", hidden).await.expect("chromium hides them");
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        devtools.send_raw("Emulation.setDeviceMetricsOverride", metrics).await.expect("chromium changes its size");
    }

    /// A picture of the page from top to bottom.
    async fn whole(&self, (width, height): (u32, u32), name: &str) {
        let all = self.script("return document.documentElement.scrollHeight").await;
        let all = all.as_u64().and_then(|all| u32::try_from(all).ok()).unwrap_or(height).clamp(height, 4000);
        let metrics = json!({"width": width, "height": all, "deviceScaleFactor": 1, "mobile": false});
        let devtools = self.chromium.driver.cdp();
        devtools.send_raw("Emulation.setDeviceMetricsOverride", metrics).await.expect("chromium changes its size");
        self.picture(name).await;
    }

    async fn fits(&self) {
        let wider = "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.nav, .tabs, .scroll, .hidden-text, .skip'))
            .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1).map(e => e.outerHTML.slice(0, 200))";
        let wider = self.script(wider).await;
        assert_eq!(wider, Value::Array(Vec::new()), "{} sticks out on a telephone", self.path().await);
    }
}
