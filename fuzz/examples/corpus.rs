//! Writes the corpus of JSON documents where the targets `reader` and `message` look for inputs.

#[path = "../../tests/json_corpus/case.rs"]
mod case;

use std::fs;
use std::path::Path;

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in ["reader", "message"] {
        fs::create_dir_all(corpus.join(folder)).expect("a folder can be made");
    }
    for case in case::all().expect("a corpus") {
        let name = format!("{}-{}", case.class, case.name);
        println!("{name}: {:?}", case.verdict);
        let body = [b"1", &*case.body()].concat();
        for (folder, input) in [("reader", &case.document), ("message", &body)] {
            fs::write(corpus.join(folder).join(&name), input).expect("a file can be written");
        }
    }
}
