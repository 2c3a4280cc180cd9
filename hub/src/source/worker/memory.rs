//! How much memory this process holds, read through a descriptor that was opened before the sandbox closed.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Reads `/proc/self/statm`.
#[derive(Debug)]
pub(super) struct Meter {
    statm: Option<File>,
    page: u64,
}

impl Meter {
    /// Where there is no `/proc`, the meter shows nothing and the kernel's limit alone holds. The size of a page must be asked
    /// for here too: it comes from `/proc/self/auxv`.
    pub(super) fn open() -> Self {
        Self { statm: File::open("/proc/self/statm").ok(), page: rustix::param::page_size() as u64 }
    }

    /// Resident memory in bytes.
    pub(super) fn resident(&self) -> u64 {
        let mut text = [0; 128];
        let Some(length) = self.statm.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()) else { return 0 };
        let pages = std::str::from_utf8(&text[..length]).ok().and_then(|text| text.split(' ').nth(1));
        pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * self.page
    }
}
