//! Where a program may lie for everyone to execute it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::is_for_everyone;

#[test]
fn a_program_is_for_everyone_if_no_folder_on_the_way_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let (folder, program) = (place.path(), place.path().join("program"));
    fs::write(&program, "").unwrap();
    let set = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (way, file, expected) in
        [(0o755, 0o755, true), (0o711, 0o705, true), (0o750, 0o755, false), (0o755, 0o754, false)]
    {
        set(folder, way);
        set(&program, file);
        assert_eq!(is_for_everyone(&program), expected, "{way:o} {file:o}");
    }
    assert!(!is_for_everyone(&folder.join("none")));
}
