//! The headsets of this computer, as Linux shows them: `/sys/class/hidraw` lists what speaks HID and has the descriptors, which
//! anybody may read; `/dev` has the devices, which need the system's leave (README has the rule for udev).

use super::{
    Headset,
    watcher::{Bus, Found, Plugged, Read},
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

/// Reports of telephones are shorter.
const LONGEST_REPORT: usize = 1_024;
/// The kernel takes no longer descriptors; what describes a device is shorter still.
const LONGEST_FILE: u64 = 4_096;

/// What is plugged in here; `None` where that cannot be known.
pub fn real_bus() -> Option<Box<dyn Bus>> {
    cfg!(target_os = "linux").then(|| Box::new(HidBus::new("/sys/class/hidraw", "/dev")) as Box<dyn Bus>)
}

/// How it was when it was looked at last.
#[derive(Debug)]
enum Last {
    Nothing,
    Refused {
        name: String,
        why: String,
    },
    /// Alive as long as somebody may write to it.
    Open(Weak<()>),
}

#[derive(Debug)]
struct HidBus {
    listing: PathBuf,
    devices: PathBuf,
    listed: BTreeSet<OsString>,
    last: Last,
}

impl Bus for HidBus {
    fn look(&mut self, read: Read) -> Option<Found> {
        let listed =
            fs::read_dir(&self.listing).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        let is_new = self.listed != listed;
        self.listed = listed;
        match &self.last {
            Last::Nothing if !is_new => return None,
            // In use; unplugged, its reader says so.
            Last::Open(open) if open.strong_count() > 0 => return None,
            // The system may give leave a moment after it was plugged in.
            Last::Nothing | Last::Refused { .. } | Last::Open(_) => {}
        }
        let (found, last) = self.find(read);
        let before = std::mem::replace(&mut self.last, last);
        match (&before, &self.last) {
            (Last::Nothing, Last::Nothing) => None,
            (Last::Refused { name: old, .. }, Last::Refused { name, .. }) if old == name => None,
            (_, Last::Refused { name, why }) => {
                tracing::info!("the buttons of {name} cannot be used: {why}");
                Some(found)
            }
            _ => Some(found),
        }
    }
}

impl HidBus {
    fn new(listing: impl Into<PathBuf>, devices: impl Into<PathBuf>) -> Self {
        Self { listing: listing.into(), devices: devices.into(), listed: BTreeSet::new(), last: Last::Nothing }
    }

    /// The first headset that can be used, or else one that cannot.
    fn find(&self, read: Read) -> (Found, Last) {
        let mut refused = None;
        for file in &self.listed {
            let about = self.listing.join(file).join("device");
            let descriptor = contents(&about.join("report_descriptor")).unwrap_or_default();
            if Headset::new(&descriptor).is_none() {
                continue;
            }
            let name = name(&about);
            match open(&self.devices.join(file)) {
                Ok(both) => match start(both, read) {
                    Ok((write, open)) => {
                        return (Found::Headset(Plugged { name, descriptor, write }), Last::Open(open));
                    }
                    Err(why) => {
                        tracing::warn!("there is no thread for the headset's buttons: {why}");
                        return (Found::Nothing, Last::Nothing);
                    }
                },
                Err(why) => {
                    refused.get_or_insert((name, why.to_string()));
                }
            }
        }
        match refused {
            Some((name, why)) => (Found::Refused { name: name.clone() }, Last::Refused { name, why }),
            None => (Found::Nothing, Last::Nothing),
        }
    }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the device calls itself.
fn name(about: &Path) -> String {
    let told = contents(&about.join("uevent")).unwrap_or_default();
    let told = String::from_utf8_lossy(&told).into_owned();
    let name = told.lines().find_map(|line| line.strip_prefix("HID_NAME=")).map(str::trim);
    name.filter(|name| !name.is_empty()).unwrap_or("a headset").to_owned()
}

/// One to read from, one to write to, so that neither waits for the other.
fn open(device: &Path) -> io::Result<(File, File)> {
    Ok((File::open(device)?, OpenOptions::new().write(true).open(device)?))
}

fn start((mut reader, mut writer): (File, File), read: Read) -> io::Result<(super::Write, Weak<()>)> {
    let body = move || {
        let mut report = [0; LONGEST_REPORT];
        loop {
            match reader.read(&mut report) {
                Ok(size @ 1..) => read(Some(&report[..size])),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return read(None),
            }
        }
    };
    // It stands in its device until that is unplugged, or the program ends.
    std::thread::Builder::new().name("headset reports".into()).spawn(body)?;
    let alive = Arc::new(());
    let open = Arc::downgrade(&alive);
    let write = move |report: &[u8]| {
        let _alive = &alive;
        writer.write_all(report)
    };
    Ok((Box::new(write), open))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{super::descriptor::tests::USUAL, *};
    use std::{os::unix::fs::PermissionsExt, sync::mpsc};

    /// Lists a device as the kernel does; what stands for it is a file.
    fn plug(root: &Path, file: &str, descriptor: &[u8], name: &str) -> PathBuf {
        let about = root.join("sys").join(file).join("device");
        fs::create_dir_all(&about).expect("a folder");
        fs::write(about.join("report_descriptor"), descriptor).expect("written");
        fs::write(about.join("uevent"), format!("DRIVER=hid\nHID_NAME={name}\n")).expect("written");
        let device = root.join("dev").join(file);
        fs::create_dir_all(root.join("dev")).expect("a folder");
        fs::write(&device, [2, 1, 0]).expect("written");
        device
    }

    #[test]
    fn a_headset_is_found_among_other_devices_read_and_written_to() {
        let root = tempfile::tempdir().expect("a folder");
        let mut bus = HidBus::new(root.path().join("sys"), root.path().join("dev"));
        let (tell, told) = mpsc::channel();
        let read = || -> Read {
            let tell = tell.clone();
            Box::new(move |report| drop(tell.send(report.map(<[u8]>::to_vec))))
        };
        assert!(bus.look(read()).is_none(), "nothing is there, as before");
        plug(root.path(), "hidraw0", &[0x05, 0x01, 0x09, 0x06], "A keyboard");
        assert!(bus.look(read()).is_none());
        let device = plug(root.path(), "hidraw1", USUAL, "Loud Headset 2");
        let Some(Found::Headset(mut plugged)) = bus.look(read()) else { panic!("it is there") };
        assert_eq!((plugged.name.as_str(), plugged.descriptor.as_slice()), ("Loud Headset 2", USUAL));
        // A file ends, as a device does that is unplugged.
        assert_eq!((told.recv(), told.recv()), (Ok(Some(vec![2, 1, 0])), Ok(None)));
        (plugged.write)(&[3, 7, 0]).expect("written");
        assert_eq!(fs::read(&device).expect("a file"), [3, 7, 0]);
        assert!(bus.look(read()).is_none(), "in use");
        drop(plugged);
        assert!(matches!(bus.look(read()), Some(Found::Headset(_))), "given up, and still there");
        fs::remove_dir_all(root.path().join("sys").join("hidraw1")).expect("unplugged");
        assert!(matches!(bus.look(read()), Some(Found::Nothing)));
    }

    #[test]
    fn one_that_may_not_be_used_is_said_once_and_tried_again() {
        let root = tempfile::tempdir().expect("a folder");
        let mut bus = HidBus::new(root.path().join("sys"), root.path().join("dev"));
        let device = plug(root.path(), "hidraw3", USUAL, "");
        // Whoever runs the tests may open anything; but no folder can be written to.
        fs::remove_file(&device).expect("removed");
        fs::create_dir(&device).expect("a folder");
        let log = root.path().join("log");
        let writer = Arc::new(File::create(&log).expect("a file"));
        let _logged = tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(writer).finish());
        let Some(Found::Refused { name }) = bus.look(Box::new(|_| ())) else { panic!("it is refused") };
        assert_eq!(name, "a headset");
        assert!(bus.look(Box::new(|_| ())).is_none());
        let logged = fs::read_to_string(&log).expect("text");
        assert_eq!(logged.matches("cannot be used").count(), 1, "{logged}");
        fs::remove_dir(&device).expect("removed");
        fs::write(&device, []).expect("written");
        fs::set_permissions(&device, fs::Permissions::from_mode(0o600)).expect("ours");
        assert!(matches!(bus.look(Box::new(|_| ())), Some(Found::Headset(_))), "the system has given leave");
    }
}
