//! Which names files and revisions may have.
//!
//! Nothing on our disk is called by them; on the disks of those who download, everything is.

/// The longest path of a file.
const LONGEST_PATH: usize = 1024;
/// The longest name of a branch or a tag.
const LONGEST_REVISION: usize = 200;

/// Refuses a path that some client's machine would take for another than the one it says.
pub fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("a file needs a name");
    }
    if path.len() > LONGEST_PATH {
        return Err("a path has at most 1024 bytes");
    }
    if path.chars().any(char::is_control) {
        return Err("a path has no control characters");
    }
    if path.contains('\\') {
        return Err("the parts of a path are parted by '/', not by '\\'");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("no part of a path is empty, and none begins with '/'"),
            "." | ".." => return Err("a path has no parts '.' and '..'"),
            _ if part.eq_ignore_ascii_case(".git") => return Err("'.git' is git's own"),
            _ if part.len() > 255 => return Err("a part of a path has at most 255 bytes"),
            _ => {}
        }
    }
    let drive = path.as_bytes();
    if drive.get(1) == Some(&b':') && drive.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err("a path does not begin with a drive");
    }
    Ok(())
}

/// Refuses a name that no branch or tag may have.
pub fn check_revision(name: &str) -> Result<(), &'static str> {
    let letter =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'+');
    if name.is_empty() || name.len() > LONGEST_REVISION {
        return Err("a branch or a tag has a name of 1 to 200 bytes");
    }
    if !name.bytes().all(letter) {
        return Err("the name may have letters without accents, digits, '.', '_', '-', '+', '/'");
    }
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        return Err("no part of the name is empty or begins with '.'");
    }
    if name.contains("..") || name.ends_with('.') || name.ends_with(".lock") {
        return Err("the name has no '..', and does not end with '.' or '.lock'");
    }
    if name.starts_with('-') || name.starts_with("refs/") || crate::hex::is_hex(name, 40) {
        return Err("the name is none that looks like a flag, a reference or a commit");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_folder_it_is_put_into() {
        for right in ["a", "a/b.txt", ".gitattributes", "a b/ü…/x:1", "..a/b..", "data/.hidden"]
        {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        let long = "x".repeat(256);
        let deep = "x/".repeat(600) + "x";
        for wrong in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "a\\..\\b",
            ".git/config",
            "a/.GIT/x",
            "C:/x",
            "c:x",
            &long,
            &deep,
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_revision_is_no_flag_and_no_commit() {
        for right in ["main", "v3.0", "feat/x", "refs", "a-b_c+d"] {
            assert_eq!(check_revision(right), Ok(()), "{right}");
        }
        let commit = "0".repeat(40);
        for wrong in
            ["", "-x", "a..b", "a/", "/a", "a b", "refs/pr/1", "x.lock", ".x", "é", "a\0", &commit]
        {
            assert!(check_revision(wrong).is_err(), "{wrong}");
        }
    }
}
