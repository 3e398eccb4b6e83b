//! Policy directories for tests.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tempfile::tempdir;

pub(super) fn with(files: &[(&str, &str)]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    dir
}

pub(super) fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
