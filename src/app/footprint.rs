//! How much of the computer a softphone that stands idle takes: most of a shift is waiting.

use crate::{driver::api::Event, ua::api::RegistrationState};
use std::sync::Once;

/// To be told of every event. The first time that it is online, the process gives its pages of code back: most were read by the
/// start alone, 64 KiB around each function of it. What goes on comes back by itself, from the page cache where that still has it.
pub fn note_event(event: &Event) {
    static STARTED: Once = Once::new();
    if matches!(event, Event::Registration { state: RegistrationState::Online { .. }, .. }) {
        STARTED.call_once(give_code_back);
    }
}

fn give_code_back() {
    // A debugger's breakpoints are written into the code and would go with it.
    #[cfg(all(target_os = "linux", target_env = "gnu", not(debug_assertions)))]
    {
        // Where the linker has put the program: headers, constants and code, which nobody writes (`end(3)`).
        unsafe extern "C" {
            static __executable_start: u8;
            static etext: u8;
        }
        // SAFETY: only the addresses are used. What lies between them is mapped from the program's file and never written, so
        // `madvise(2)` takes nothing from it that isn't read again at the next use; a gap in it changes nothing but the answer.
        unsafe {
            let (start, end) = (&raw const __executable_start, &raw const etext);
            let length = end.addr().saturating_sub(start.addr());
            libc::madvise(start.cast_mut().cast(), length, libc::MADV_DONTNEED);
        }
    }
}
