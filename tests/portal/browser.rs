//! The portal in Debian's chromium.

use crate::chromium::Chromium;
use serde_json::Value;
use std::path::Path;
use thirtyfour::prelude::*;

/// What bears these words: a link, a button or a tab, of the pop-up while one is open.
const PRESSABLE: &str =
    "(//dialog[@open]//* | //body[not(.//dialog[@open])]//*)[self::a or self::button][normalize-space(.)=$]";

pub struct Browser {
    pub chromium: Chromium,
    base: String,
}

impl Browser {
    /// Opens on the site at `base`.
    pub async fn start(base: &str) -> Self {
        Self { chromium: Chromium::start(&["--window-size=1280,900"]).await, base: base.to_owned() }
    }

    pub async fn open(&self, path: &str) {
        self.chromium.driver.goto(format!("{}{path}", self.base)).await.expect("the page opens");
    }

    /// Presses the link, button or tab with these words, as soon as it is there.
    pub async fn press(&self, words: &str) {
        let at = PRESSABLE.replace('$', &quoted(words));
        self.shown(By::XPath(at), words).await.click().await.unwrap_or_else(|e| panic!("{words}: {e}"));
    }

    /// Follows the link whose words begin so.
    pub async fn follow(&self, begins: &str) {
        let at = format!("//a[starts-with(normalize-space(.), {})]", quoted(begins));
        self.shown(By::XPath(at), begins).await.click().await.unwrap_or_else(|e| panic!("{begins}: {e}"));
    }

    /// Types into the field of this name, in place of what stands there.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.shown(By::Css(format!("input[name='{name}'], #{name}")), name).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// Chooses the first entry of a list whose words begin so.
    pub async fn choose(&self, name: &str, begins: &str) {
        let option =
            format!("//select[@name={}]/option[starts-with(normalize-space(.), {})]", quoted(name), quoted(begins));
        self.shown(By::XPath(option), begins).await.click().await.unwrap_or_else(|e| panic!("{begins}: {e}"));
    }

    /// Ticks the box of this name, the first that is not ticked yet.
    pub async fn tick(&self, name: &str) {
        let at = format!("input[type=checkbox][name='{name}']:not(:checked)");
        self.shown(By::Css(at), name).await.click().await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// Signs in with the form that is shown.
    pub async fn sign_in(&self, username: &str, password: &str) {
        self.fill("username", username).await;
        self.fill("password", password).await;
        self.press("Sign in").await;
    }

    pub async fn sign_out(&self) {
        self.shown(By::Css("details.menu > summary"), "the menu").await.click().await.expect("the menu opens");
        self.press("Sign out").await;
        self.sees("You are signed out").await;
    }

    /// What stands in a field, a secret shown once for instance.
    pub async fn value(&self, id: &str) -> String {
        let field = self.shown(By::Css(format!("#{id}")), id).await;
        field.prop("value").await.expect("a field").expect("a value")
    }

    /// What an element says.
    pub async fn text(&self, css: &str) -> String {
        self.shown(By::Css(css), css).await.text().await.expect("a text")
    }

    pub async fn attribute(&self, css: &str, name: &str) -> String {
        self.shown(By::Css(css), css).await.attr(name).await.expect("an element").expect("an attribute")
    }

    /// Path of the page that is shown.
    pub async fn path(&self) -> String {
        let url = self.chromium.driver.current_url().await.expect("an address");
        url.path().to_owned()
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        self.chromium.script(script, Vec::new()).await
    }

    /// Waits until the page says this.
    pub async fn sees(&self, words: &str) {
        let at = By::XPath(format!("//body//*[contains(normalize-space(.), {})]", quoted(words)));
        if self.chromium.driver.query(at).first().await.is_err() {
            self.fail(&format!("the page never said {words:?}")).await;
        }
    }

    pub async fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../artefacts/portal");
        std::fs::create_dir_all(&folder).expect("a folder for artefacts");
        self.chromium.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a picture");
    }

    /// Nothing that axe calls serious or critical is on the page.
    pub async fn accessible(&self) {
        self.axe("{}").await;
    }

    /// Everything on the page can be read against what is behind it.
    pub async fn readable(&self) {
        self.axe("{runOnly: ['color-contrast']}").await;
    }

    /// Runs axe with these options of its.
    async fn axe(&self, options: &str) {
        const AXE: &str = include_str!("../fixtures/axe/axe.min.js");
        if self.script("return !window.axe").await == Value::Bool(true) {
            self.chromium.driver.execute(AXE, Vec::new()).await.expect("axe loads");
        }
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, OPTIONS).then(found => done(found.violations
                .filter(v => v.impact === 'serious' || v.impact === 'critical')
                .map(v => `${v.id}: ${v.help}: ${v.nodes[0].html}`)), e => done([String(e)]))";
        let run = run.replace("OPTIONS", options);
        let found = self.chromium.driver.execute_async(run, Vec::new()).await.expect("axe runs");
        assert_eq!(found.json(), &Value::Array(Vec::new()), "{}", self.path().await);
    }

    pub async fn end(self) {
        self.chromium.end().await;
    }

    async fn shown(&self, at: By, what: &str) -> WebElement {
        match self.chromium.driver.query(at).and_displayed().first().await {
            Ok(element) => element,
            Err(_) => self.fail(&format!("nothing shown is called {what:?}")).await,
        }
    }

    async fn fail(&self, why: &str) -> ! {
        self.picture("failed").await;
        panic!("{why}; the page reads: {}", self.script("return document.body.innerText").await)
    }
}

fn quoted(words: &str) -> String {
    format!("\"{words}\"")
}
