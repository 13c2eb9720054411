//! Values and their names: serials, masks, flags, errnos, byte strings.
//!
//! Here lives every translation between a number and the name that people know it by. No system
//! call and no case grammar lives here.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that a case passes to an operation or gets from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A NULL pointer.
    Null,
    /// A pointer to an address that no process can have mapped.
    BadPointer,
    /// An integer: serial, mask, id, length, flag set, count.
    Number(i64),
    /// A byte string without its terminating NUL.
    Text(Bytes),
    /// An output buffer of this many bytes.
    Buffer(u32),
    /// A set of values, as READ of a keyring gives it: order carries no meaning.
    Members(BTreeSet<i64>),
    /// The name of an actor or of a user namespace of the case.
    Name(String),
}

impl Value {
    /// The number in this value, if it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::BadPointer => f.write_str("BAD_POINTER"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(bytes) => write!(f, "{bytes}"),
            Value::Buffer(size) => write!(f, "buffer({size})"),
            Value::Members(members) => {
                let shown: Vec<String> = members.iter().map(i64::to_string).collect();
                write!(f, "{{{}}}", shown.join(", "))
            }
            Value::Name(name) => f.write_str(name),
        }
    }
}

/// A byte string. Shown, read and stored in the notation of a case: in double quotes, with
/// `\n`, `\t`, `\r`, `\\`, `\"` and `\xNN` for what cannot stand for itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// Reads the notation between the quotes; on error says what is wrong and at which byte.
    pub fn unescape(text: &str) -> Result<Bytes, (usize, String)> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            if char != '\\' {
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            bytes.push(match chars.next() {
                Some((_, 'n')) => b'\n',
                Some((_, 't')) => b'\t',
                Some((_, 'r')) => b'\r',
                Some((_, '\\')) => b'\\',
                Some((_, '"')) => b'"',
                Some((_, 'x')) => {
                    let digits: String = chars.by_ref().take(2).map(|(_, digit)| digit).collect();
                    match u8::from_str_radix(&digits, 16) {
                        Ok(byte) if digits.len() == 2 => byte,
                        _ => return Err((at, "`\\x` needs two hexadecimal digits".into())),
                    }
                }
                _ => return Err((at, "unknown escape: use \\n \\t \\r \\\\ \\\" or \\xNN".into())),
            });
        }
        Ok(Bytes(bytes))
    }

    /// The text with a number behind it.
    pub fn numbered(&self, number: u32) -> Bytes {
        Bytes([self.0.as_slice(), number.to_string().as_bytes()].concat())
    }

    /// The notation without the quotes around it.
    pub fn escape(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '\n' => out.push_str("\\n"),
                    '\t' => out.push_str("\\t"),
                    '\r' => out.push_str("\\r"),
                    '\\' => out.push_str("\\\\"),
                    '"' => out.push_str("\\\""),
                    // Beyond ASCII a control character is two bytes: each is shown.
                    char if char.is_control() => {
                        for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                            out.push_str(&format!("\\x{byte:02x}"));
                        }
                    }
                    char => out.push(char),
                }
            }
            for byte in chunk.invalid() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
        out
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole descriptions and payloads fit; how much of them a report shows is its own choice.
        const SHOWN: usize = 64 << 10;
        if self.0.len() > SHOWN {
            let head = Bytes(self.0[..SHOWN].to_vec());
            return write!(f, "\"{}…\" ({} bytes)", head.escape(), self.0.len());
        }
        write!(f, "\"{}\"", self.escape())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes(text.as_bytes().to_vec())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.escape())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        Bytes::unescape(&text).map_err(|(at, what)| serde::de::Error::custom(format!("byte {at}: {what}")))
    }
}

/// An error number of the kernel, shown by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Errno(pub i32);

impl Errno {
    /// The number of the errno with this name, such as `ENOKEY`.
    pub fn from_name(name: &str) -> Option<Errno> {
        // Names that the headers define as synonyms and that lists of numbers therefore lack.
        match name {
            "EOPNOTSUPP" => return Some(Errno(libc::EOPNOTSUPP)),
            "ENOTSUP" => return Some(Errno(libc::ENOTSUP)),
            "EWOULDBLOCK" => return Some(Errno(libc::EWOULDBLOCK)),
            _ => {}
        }
        (1..=133).map(Errno).find(|errno| errno.name().as_deref() == Some(name))
    }

    /// The name, or `None` for a number that has none.
    pub fn name(self) -> Option<String> {
        match nix::errno::Errno::from_raw(self.0) {
            nix::errno::Errno::UnknownErrno => None,
            errno => Some(format!("{errno:?}")),
        }
    }

    /// Every errno name, for spelling help.
    pub fn names() -> Vec<String> {
        (1..=133).filter_map(|number| Errno(number).name()).collect()
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(&name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl From<Errno> for String {
    fn from(errno: Errno) -> String {
        errno.to_string()
    }
}

impl TryFrom<String> for Errno {
    type Error = String;
    fn try_from(text: String) -> Result<Errno, String> {
        Errno::from_name(&text)
            .or_else(|| text.strip_prefix("errno ").and_then(|number| number.parse().ok()).map(Errno))
            .ok_or_else(|| format!("`{text}` is no errno"))
    }
}

/// The special key ids of keyctl(2), in the notation of keyctl(1).
pub const SPECIAL_KEYS: &[(&str, i64)] =
    &[("@t", -1), ("@p", -2), ("@s", -3), ("@u", -4), ("@us", -5), ("@g", -6), ("@a", -7)];

/// Named numbers that may be joined by `|`: permission bits, clone and move flags.
pub const FLAGS: &[(&str, i64)] = &[
    ("POS_VIEW", 0x0100_0000),
    ("POS_READ", 0x0200_0000),
    ("POS_WRITE", 0x0400_0000),
    ("POS_SEARCH", 0x0800_0000),
    ("POS_LINK", 0x1000_0000),
    ("POS_SETATTR", 0x2000_0000),
    ("POS_ALL", 0x3f00_0000),
    ("USR_VIEW", 0x0001_0000),
    ("USR_READ", 0x0002_0000),
    ("USR_WRITE", 0x0004_0000),
    ("USR_SEARCH", 0x0008_0000),
    ("USR_LINK", 0x0010_0000),
    ("USR_SETATTR", 0x0020_0000),
    ("USR_ALL", 0x003f_0000),
    ("GRP_VIEW", 0x0100),
    ("GRP_READ", 0x0200),
    ("GRP_WRITE", 0x0400),
    ("GRP_SEARCH", 0x0800),
    ("GRP_LINK", 0x1000),
    ("GRP_SETATTR", 0x2000),
    ("GRP_ALL", 0x3f00),
    ("OTH_VIEW", 0x01),
    ("OTH_READ", 0x02),
    ("OTH_WRITE", 0x04),
    ("OTH_SEARCH", 0x08),
    ("OTH_LINK", 0x10),
    ("OTH_SETATTR", 0x20),
    ("OTH_ALL", 0x3f),
    ("CLONE_VM", libc::CLONE_VM as i64),
    ("CLONE_FS", libc::CLONE_FS as i64),
    ("CLONE_FILES", libc::CLONE_FILES as i64),
    ("CLONE_VFORK", libc::CLONE_VFORK as i64),
    ("CLONE_PARENT", libc::CLONE_PARENT as i64),
    ("CLONE_NEWNS", libc::CLONE_NEWNS as i64),
    ("CLONE_NEWUTS", libc::CLONE_NEWUTS as i64),
    ("CLONE_NEWIPC", libc::CLONE_NEWIPC as i64),
    ("CLONE_NEWUSER", libc::CLONE_NEWUSER as i64),
    ("CLONE_NEWPID", libc::CLONE_NEWPID as i64),
    ("KEYCTL_MOVE_EXCL", 1),
];

/// Named numbers that stand alone.
pub const CONSTANTS: &[(&str, i64)] = &[
    ("KEYCTL_GET_KEYRING_ID", 0),
    ("KEYCTL_JOIN_SESSION_KEYRING", 1),
    ("KEYCTL_UPDATE", 2),
    ("KEYCTL_REVOKE", 3),
    ("KEYCTL_CHOWN", 4),
    ("KEYCTL_SETPERM", 5),
    ("KEYCTL_DESCRIBE", 6),
    ("KEYCTL_CLEAR", 7),
    ("KEYCTL_LINK", 8),
    ("KEYCTL_UNLINK", 9),
    ("KEYCTL_SEARCH", 10),
    ("KEYCTL_READ", 11),
    ("KEYCTL_INSTANTIATE", 12),
    ("KEYCTL_NEGATE", 13),
    ("KEYCTL_SET_REQKEY_KEYRING", 14),
    ("KEYCTL_SET_TIMEOUT", 15),
    ("KEYCTL_ASSUME_AUTHORITY", 16),
    ("KEYCTL_GET_SECURITY", 17),
    ("KEYCTL_SESSION_TO_PARENT", 18),
    ("KEYCTL_REJECT", 19),
    ("KEYCTL_INSTANTIATE_IOV", 20),
    ("KEYCTL_INVALIDATE", 21),
    ("KEYCTL_GET_PERSISTENT", 22),
    ("KEYCTL_DH_COMPUTE", 23),
    ("KEYCTL_PKEY_QUERY", 24),
    ("KEYCTL_RESTRICT_KEYRING", 29),
    ("KEYCTL_MOVE", 30),
    ("KEYCTL_CAPABILITIES", 31),
    ("KEYCTL_WATCH_KEY", 32),
    ("KEY_REQKEY_DEFL_NO_CHANGE", -1),
    ("KEY_REQKEY_DEFL_DEFAULT", 0),
    ("KEY_REQKEY_DEFL_THREAD_KEYRING", 1),
    ("KEY_REQKEY_DEFL_PROCESS_KEYRING", 2),
    ("KEY_REQKEY_DEFL_SESSION_KEYRING", 3),
    ("KEY_REQKEY_DEFL_USER_KEYRING", 4),
    ("KEY_REQKEY_DEFL_USER_SESSION_KEYRING", 5),
    ("KEY_REQKEY_DEFL_GROUP_KEYRING", 6),
    ("KEY_REQKEY_DEFL_REQUESTOR_KEYRING", 7),
    // Capability bits are numbered through the bytes that KEYCTL_CAPABILITIES fills: byte * 8 + bit.
    ("CAPS_CAPABILITIES", 0),
    ("CAPS_PERSISTENT_KEYRINGS", 1),
    ("CAPS_DIFFIE_HELLMAN", 2),
    ("CAPS_PUBLIC_KEY", 3),
    ("CAPS_BIG_KEY", 4),
    ("CAPS_INVALIDATE", 5),
    ("CAPS_RESTRICT_KEYRING", 6),
    ("CAPS_MOVE", 7),
    ("CAPS_NS_KEYRING_NAME", 8),
    ("CAPS_NS_KEY_TAG", 9),
    ("CAPS_NOTIFICATIONS", 10),
    ("SIGKILL", libc::SIGKILL as i64),
    ("SIGTERM", libc::SIGTERM as i64),
    ("SIGSTOP", libc::SIGSTOP as i64),
    ("SIGCONT", libc::SIGCONT as i64),
    ("PR_SET_KEEPCAPS", libc::PR_SET_KEEPCAPS as i64),
    ("PR_GET_KEEPCAPS", libc::PR_GET_KEEPCAPS as i64),
    ("PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS as i64),
    ("PR_GET_NO_NEW_PRIVS", libc::PR_GET_NO_NEW_PRIVS as i64),
    ("PR_SET_DUMPABLE", libc::PR_SET_DUMPABLE as i64),
    ("PR_SET_CHILD_SUBREAPER", libc::PR_SET_CHILD_SUBREAPER as i64),
    ("PR_GET_DUMPABLE", libc::PR_GET_DUMPABLE as i64),
    ("PR_CAPBSET_DROP", libc::PR_CAPBSET_DROP as i64),
    ("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT as i64),
    ("PR_CAP_AMBIENT_RAISE", libc::PR_CAP_AMBIENT_RAISE as i64),
];

/// Capabilities by name, as capabilities(7) numbers them.
pub const CAPABILITIES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The number of the capability with this name, with or without the `cap_` in front.
pub fn capability(name: &str) -> Option<u32> {
    let bare = name.strip_prefix("cap_").unwrap_or(name);
    CAPABILITIES.iter().position(|known| *known == bare).map(|number| number as u32)
}

/// The number behind a name of [`FLAGS`] or [`CONSTANTS`]; the flag says if it may be joined by `|`.
pub fn constant(name: &str) -> Option<(i64, bool)> {
    let find =
        |table: &[(&str, i64)]| table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    find(FLAGS).map(|number| (number, true)).or_else(|| find(CONSTANTS).map(|number| (number, false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"plain".to_vec(), "plain")]
    #[case(b"a\nb\tc\\d\"e".to_vec(), "a\\nb\\tc\\\\d\\\"e")]
    #[case(vec![0, 0x1f, 0x7f, 0xff, b'x'], "\\x00\\x1f\\x7f\\xffx")]
    #[case("é\u{85}".as_bytes().to_vec(), "é\\xc2\\x85")]
    fn byte_strings_survive_their_notation(#[case] bytes: Vec<u8>, #[case] shown: &str) {
        let bytes = Bytes(bytes);
        assert_eq!(bytes.escape(), shown);
        assert_eq!(Bytes::unescape(shown), Ok(bytes));
    }

    #[rstest]
    #[case("a\\q", 1)]
    #[case("\\x4", 0)]
    #[case("ab\\xgg", 2)]
    #[case("\\", 0)]
    fn a_wrong_escape_is_placed(#[case] text: &str, #[case] at: usize) {
        assert_eq!(Bytes::unescape(text).unwrap_err().0, at);
    }

    #[rstest]
    #[case("ENOKEY", 126)]
    #[case("EKEYEXPIRED", 127)]
    #[case("EKEYREVOKED", 128)]
    #[case("EDQUOT", 122)]
    #[case("EOPNOTSUPP", 95)]
    fn errno_names_and_numbers_agree(#[case] name: &str, #[case] number: i32) {
        assert_eq!(Errno::from_name(name), Some(Errno(number)));
        assert_eq!(Errno(number).to_string(), name);
    }

    #[test]
    fn a_number_without_a_name_survives() {
        let text = serde_json::to_string(&Errno(524)).unwrap();
        assert_eq!(serde_json::from_str::<Errno>(&text).unwrap(), Errno(524));
    }

    #[test]
    fn a_set_of_bits_is_the_sum_of_its_bits() {
        for class in ["POS", "USR", "GRP", "OTH"] {
            let sum: i64 = ["VIEW", "READ", "WRITE", "SEARCH", "LINK", "SETATTR"]
                .iter()
                .map(|bit| constant(&format!("{class}_{bit}")).unwrap().0)
                .sum();
            assert_eq!(constant(&format!("{class}_ALL")), Some((sum, true)));
        }
    }
}
