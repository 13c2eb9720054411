//! What the program does before the language's runtime begins: it becomes an actor, if it was executed as one.
#![expect(unsafe_code, reason = "libc gives the arguments as it gives them to main in C")]

use std::ffi::{CStr, c_char, c_int};

/// An actor must be nothing else: whatever happened before this would be seen in a case. And the runtime takes longer to
/// begin than most actors live.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn(c_int, *const *const c_char) = become_actor;

extern "C" fn become_actor(count: c_int, words: *const *const c_char) {
    // SAFETY: as for main in C, there are so many strings, which live as long as the process.
    let word = |at| unsafe { CStr::from_ptr(*words.add(at)) }.to_string_lossy().into_owned();
    harness::actor::invoked((0..count as usize).map(word));
}
