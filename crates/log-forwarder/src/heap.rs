//! How the C library's allocator keeps free memory.

/// Bytes of a block that goes back to the system as soon as it is free: more than the buffers that are used again and again, and
/// less than the lists that a scan of thousands of files makes.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 1024 * 1024;

/// Lets all threads share one heap, because each scan, checkpoint and scrape of thousands of files would leave free memory in the
/// heap of its own thread. Call it before any other thread starts.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no crate has a safe function for this call")]
pub fn share_heap() {
    // SAFETY: mallopt(3) takes no pointer, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// The number of files from which on their lists leave enough free memory behind to be worth a trim
#[cfg(target_env = "gnu")]
const MANY: usize = 1000;

/// Gives free pages between those in use back to the system, after lists of this number of files. That takes milliseconds when
/// there are thousands of files, and so do the lists. The pages of buffers stay where there are few files, because they are used
/// again at once.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no crate has a safe function for this call")]
pub(crate) fn trim(files: usize) {
    if files < MANY {
        return;
    }
    // SAFETY: malloc_trim(3) takes no pointer, and locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other allocators have no such call.
#[cfg(not(target_env = "gnu"))]
pub fn share_heap() {}

/// Other allocators have no such call.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim(_files: usize) {}
