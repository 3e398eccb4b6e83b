//! What is remembered changes nothing but the time that a compilation takes.

use std::collections::BTreeMap;
use std::sync::Weak;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::sample::select;

use super::*;
use crate::policy::Compiler;
use crate::policy::PolicyFiles;
use crate::policy::PolicyInfo;
use crate::policy::PolicySnapshot;
use crate::policy::evaluation::Evaluation;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::files;
use crate::policy::fixtures::operation;
use crate::policy::fixtures::resources;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;
use crate::policy::validate;
use crate::policy::vocabulary;
use crate::request::Action;
use crate::request::Thing;

/// Good ones, odd ones and bad ones, of few ids, so that ids collide.
const PIECES: [&str; 16] = [
    "@id(\"a\") permit(principal in Mcp::Role::\"a\", action, resource);",
    "@id(\"b\") permit(principal, action == Mcp::Action::\"tools/call\", resource)\nwhen { principal.scopes.contains(\"p\") };",
    "@id(\"b\") forbid(principal, action, resource == Mcp::Tool::\"s/x\")\nwhen { context.args.hasTag(\"n\") };",
    "@id(\"c\") @mode(\"log_only\")\nforbid(principal, action, resource);",
    "@id(\"d\") forbid(principal in Mcp::Group::\"g\", action, resource) unless { context.session == \"\" };",
    // A warning, an error of validation with two places, one without a place of its own, a stray.
    "@id(\"e\") permit(principal, action, resource)\nwhen { principal.tenant == \"\u{430}b\" };",
    "@id(\"f\") permit(principal, action, resource)\nwhen { principal.tenat == \"x\"\n || principal.scope == 1 };",
    "@id(\"g\") permit(principal, action == Mcp::Action::\"mcp\", resource);",
    "@id(\"h\") permit(principal, action, resource)\nwhen { Mcp::Server::\"s\".tenant == \"x\" };",
    // Not even read.
    "@id(\"i\") permit(principal, action, resource) when { };",
    "permit(principal, action, resource);",
    "@id(\"j\") permit(principal == ?principal, action, resource);",
    // What stands in between.
    "// @id(\"a\") permit(principal in Mcp::Role::\"a\", action, resource);",
    "\n\n   \t",
    "// ;\r\n",
    "/",
];

type Tree = BTreeMap<usize, Vec<usize>>;

#[derive(Clone, Debug)]
enum Edit {
    /// The piece goes to a place in the file.
    Put(usize, Index, usize),
    Remove(usize, Index),
    /// A piece of one file goes to the end of the other.
    Move(usize, usize),
    Rename(usize, usize),
    Delete(usize),
    Nothing,
}

fn edit() -> impl Strategy<Value = Edit> {
    let file = || 0..4_usize;
    // Good pieces come more often, or nothing would ever compile.
    let piece = || prop_oneof![3 => 0..6_usize, 1 => 0..PIECES.len()];
    prop_oneof![
        6 => (file(), any::<Index>(), piece()).prop_map(|(f, at, p)| Edit::Put(f, at, p)),
        3 => (file(), any::<Index>()).prop_map(|(f, at)| Edit::Remove(f, at)),
        1 => (file(), file()).prop_map(|(f, g)| Edit::Move(f, g)),
        1 => (file(), file()).prop_map(|(f, g)| Edit::Rename(f, g)),
        1 => file().prop_map(Edit::Delete),
        1 => Just(Edit::Nothing),
    ]
}

fn apply(tree: &mut Tree, edit: &Edit) {
    match edit {
        Edit::Put(file, at, piece) => {
            let pieces = tree.entry(*file).or_default();
            let at = at.index(pieces.len() + 1);
            pieces.insert(at, *piece);
        }
        Edit::Remove(file, at) => {
            if let Some(pieces) = tree.get_mut(file).filter(|pieces| !pieces.is_empty()) {
                pieces.remove(at.index(pieces.len()));
            }
        }
        Edit::Move(from, to) => {
            if let Some(piece) = tree.get_mut(from).and_then(Vec::pop) {
                tree.entry(*to).or_default().push(piece);
            }
        }
        Edit::Rename(from, to) => {
            if let Some(pieces) = tree.remove(from) {
                tree.insert(*to, pieces);
            }
        }
        Edit::Delete(file) => drop(tree.remove(file)),
        Edit::Nothing => {}
    }
}

fn texts(tree: &Tree) -> PolicyFiles {
    let text = |pieces: &Vec<usize>| -> String {
        let lines = pieces.iter().map(|piece| format!("{}\n", PIECES[*piece]));
        lines.collect()
    };
    let all: Vec<_> = tree
        .iter()
        .map(|(name, pieces)| (format!("{name}.cedar"), text(pieces)))
        .collect();
    let all: Vec<_> = all.iter().map(|(name, text)| (&**name, &**text)).collect();
    files(&all)
}

/// Everything that can be asked of a compilation.
#[derive(Debug, PartialEq)]
enum Seen {
    Faults(Vec<Fault>),
    Snapshot {
        digest: String,
        warnings: Vec<Fault>,
        listed: Vec<PolicyInfo>,
        answers: Vec<Evaluation>,
        scopes: Vec<Vec<String>>,
    },
}

fn seen(compiled: Result<PolicySnapshot, Vec<Fault>>) -> Seen {
    let snapshot = match compiled {
        Ok(snapshot) => snapshot,
        Err(faults) => return Seen::Faults(faults),
    };
    let mut answers = Vec::new();
    let mut scopes = Vec::new();
    let operations = [
        call("s/x"),
        with_arguments(call("s/x"), "{\"n\": 1}"),
        call("s/y"),
        operation(Action::ToolsList, "s", Thing::Server),
    ];
    for (roles, held, groups) in [("", "", ""), ("a", "", ""), ("", "p", ""), ("a", "p", "g")] {
        let mut caller = user(roles, held);
        caller.groups = crate::policy::fixtures::set(groups);
        let caller = verified(caller);
        let facts = snapshot.facts(&caller);
        for operation in &operations {
            answers.push(snapshot.evaluate(operation, &context(), &facts));
            let all = crate::policy::fixtures::all(std::slice::from_ref(operation));
            scopes.push(snapshot.required_scopes(&all, &context(), &caller));
        }
    }
    Seen::Snapshot {
        digest: snapshot.digest().to_owned(),
        warnings: snapshot.warnings().to_vec(),
        listed: snapshot.policies().cloned().collect(),
        answers,
        scopes,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_course_of_edits_ends_where_a_first_load_begins(
        edits in prop::collection::vec(edit(), 1..12),
    ) {
        let resources = resources(&["s"]);
        let mut compiler = Compiler::for_resources(&resources);
        let mut tree = Tree::from([(0, vec![0]), (1, vec![1, 3])]);
        for edit in &edits {
            apply(&mut tree, edit);
            let files = texts(&tree);
            let ours = seen(compiler.compile(&files, 1));
            let theirs = seen(PolicySnapshot::compile(&files, &resources, 1));
            prop_assert_eq!(ours, theirs, "after {:?} of {:?}", edit, edits);
        }
    }

    #[test]
    fn policies_are_validated_together_as_each_by_itself(
        pieces in prop::collection::vec(select((0..9_usize).collect::<Vec<_>>()), 1..9),
    ) {
        let schema = vocabulary::schema().unwrap();
        let files = texts(&Tree::from([(0, pieces.clone()), (1, pieces)]));
        let sources: Vec<&Source> = files.files.iter().collect();
        let loaded = load::policies(&sources, &mut Vec::new());
        let mut together = Vec::new();
        validate::policies(&schema, &loaded.iter().collect::<Vec<_>>(), &mut together);
        let mut alone = Vec::new();
        for one in &loaded {
            validate::policies(&schema, &[one], &mut alone);
        }
        validate::sort(&mut alone);
        prop_assert_eq!(&together, &alone);
        let worked = Worked::of(&loaded.iter().collect::<Vec<_>>(), &schema);
        let pairs = loaded.iter().zip(&worked);
        let mut kept: Vec<Fault> = pairs
            .flat_map(|(one, worked)| worked.as_ref().unwrap().faults(one))
            .collect();
        validate::sort(&mut kept);
        prop_assert_eq!(&together, &kept);
    }
}

/// How many policies the memory holds, and which of them two compilations share.
fn known(compiler: &Compiler) -> BTreeMap<String, Weak<Worked>> {
    let policies = compiler.memory.policies(&mut Vec::new());
    let entry = |one: &&Known| (one.loaded.id.to_string(), Arc::downgrade(&one.worked));
    policies.iter().map(entry).collect()
}

fn many(change: usize) -> PolicyFiles {
    let policy = |n: usize| {
        let scope = if n == 7 { change } else { 0 };
        format!(
            "@id(\"p{n}\") permit(principal, action, resource) when {{ principal.scopes.contains(\"s{scope}\") }};\n"
        )
    };
    let file = |from: usize| (from..from + 10).map(policy).collect::<String>();
    files(&[("a.cedar", &file(0)), ("b.cedar", &file(10))])
}

#[test]
fn only_what_has_changed_is_worked_out_and_nothing_else_is_kept() {
    let mut compiler = Compiler::for_resources(&resources(&["s"]));
    let mut snapshot = compiler.compile(&many(0), 1).unwrap();
    let mut before = known(&compiler);
    for change in 1..6 {
        let files = many(change);
        let old: Vec<Weak<str>> = compiler
            .memory
            .by_name
            .values()
            .map(|file| Arc::downgrade(&file.source.text))
            .collect();
        snapshot = compiler.compile(&files, 1).unwrap();
        drop(files);
        let after = known(&compiler);
        for (id, worked) in &after {
            let same = before.get(id).is_some_and(|old| old.ptr_eq(worked));
            assert_eq!(same, id != "p7", "{id}");
        }
        assert_eq!(
            before
                .values()
                .filter(|old| old.upgrade().is_none())
                .count(),
            1
        );
        let gone: Vec<_> = old.iter().map(|text| text.upgrade().is_none()).collect();
        assert_eq!(
            gone,
            [true, false],
            "the old text goes with the old snapshot"
        );
        before = after;
    }
    drop(snapshot);
    drop(compiler);
    assert!(before.values().all(|worked| worked.upgrade().is_none()));
}

#[test]
fn a_file_that_could_not_be_read_for_a_while_is_not_worked_out_anew() {
    let mut compiler = Compiler::for_resources(&resources(&["s"]));
    compiler.compile(&many(0), 1).unwrap();
    let before = known(&compiler);
    for text in ["@id(", "@id(\"x\") permit("] {
        compiler
            .compile(&files(&[("a.cedar", text)]), 1)
            .unwrap_err();
    }
    compiler.compile(&many(0), 1).unwrap();
    let after = known(&compiler);
    let same = |id: &str| before[id].ptr_eq(&after[id]);
    assert!(same("p3") && same("p9"), "the file was there all the time");
    assert!(!same("p13"), "the other was not");
}

#[test]
fn more_policies_than_there_may_be_are_refused_before_they_are_worked_out() {
    let text: String = (0..=10_000)
        .map(|n| format!("@id(\"p{n}\") permit(principal,action,resource);\n"))
        .collect();
    let mut compiler = Compiler::for_resources(&resources(&["s"]));
    let faults = compiler
        .compile(&files(&[("a.cedar", &text)]), 1)
        .unwrap_err();
    assert_eq!(
        faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a.cedar: error: there are 10001 policies; the bound is 10000"]
    );
    assert!(
        compiler.compile(&many(0), 1).is_ok(),
        "and nothing is broken by it"
    );
}
