//! Who has a device open.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The other processes that have `device` open, by command and number; `None` where none is seen.
pub(super) fn others(device: &Path) -> Option<String> {
    say(device, |pid| pid != std::process::id())
}

/// Whoever holds the lock on `device`, else whoever has it open, this process included.
pub(super) fn any(device: &Path) -> Option<String> {
    let lock = locked_by(device).map(|pid| format!("{} (process {pid})", command(pid)));
    lock.or_else(|| others(device)).or_else(|| say(device, |_| true))
}

/// The process that holds the lock on a device.
fn locked_by(device: &Path) -> Option<u32> {
    let inode = std::fs::metadata(device).ok()?.ino();
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    table.lines().find_map(|line| holder_in(line, inode))
}

/// The process number in a line of the kernel's table, if the lock is on this inode:
/// `1: FLOCK  ADVISORY  WRITE 4711 00:18:5 0 EOF`.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "FLOCK" {
        return None;
    }
    let pid = words.nth(2)?.parse().ok()?;
    let place = words.next()?;
    (place.rsplit(':').next()?.parse::<u64>().ok()? == inode).then_some(pid)
}

fn say(device: &Path, counts: impl Fn(u32) -> bool) -> Option<String> {
    let mut names: Vec<String> = processes()
        .filter(|pid| counts(*pid) && has_open(*pid, device))
        .map(|pid| format!("{} (process {pid})", command(pid)))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| names.join(", "))
}

fn processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Other users' processes cannot be looked into; they count as not having it open.
fn has_open(pid: u32, device: &Path) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == device))
}

fn command(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "a program".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_table_tells_who_holds_a_port() {
        let line = "2: FLOCK  ADVISORY  WRITE 4711 00:18:5 0 EOF";
        assert_eq!(holder_in(line, 5), Some(4711));
        assert_eq!(holder_in(line, 6), None);
        assert_eq!(holder_in("2: POSIX  ADVISORY  WRITE 1 00:18:5 0 EOF", 5), None);
        assert_eq!(holder_in("", 5), None);
    }

    #[test]
    fn this_process_is_found_by_a_file_it_has_open_and_no_other_is() {
        let path = std::env::current_exe().unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let holder = any(&path.canonicalize().unwrap()).unwrap();
        assert!(holder.contains(&format!("(process {})", std::process::id())), "{holder}");
        drop(file);
        assert_eq!(any(Path::new("/no/such/device")), None);
    }
}
