//! Tries every checker on small inputs, both ways: a checker that cannot fail is a defect.

use crate::documents::{code_map, links, sizes, top_level};
use crate::lexer::{Function, Source};
use crate::rules::{Exception, check_file};

const HEADER: &str = "//! What this small file owns.\n";

/// What is found in a file at `path` that consists of a header and `code`.
fn found(path: &str, code: &str) -> Vec<String> {
    check_file(path, &format!("{HEADER}{code}"), &[])
}

#[track_caller]
fn check(path: &str, code: &str, wanted: &[&str]) {
    let found = found(path, code);
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (message, wanted) in found.iter().zip(wanted) {
        assert!(message.starts_with(&format!("{path}:{wanted}")), "{message}");
    }
}

#[test]
fn header_is_wanted() {
    for text in ["", "fn f() {}\n", "//! Short.\n", "// A plain comment is no header.\n"] {
        assert!(check_file("src/a.rs", text, &[])[0].contains("no module header"), "{text:?}");
    }
    check("src/a.rs", "", &[]);
}

#[test]
fn lengths_are_limited() {
    check("src/a.rs", &"\n".repeat(699), &[]);
    check("src/a.rs", &"\n".repeat(700), &["701: 701 lines"]);
    let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines));
    check("src/a.rs", &function(68), &[]);
    check("src/a.rs", &function(69), &["2: fn long has 71 lines"]);
}

#[test]
fn columns_are_limited_but_strings_and_urls_may_be_longer() {
    let long = "x".repeat(101);
    check("src/a.rs", &format!("// {}\n", "é".repeat(97)), &[]);
    check("src/a.rs", &format!("// {long}\n"), &["2: 104 columns"]);
    check("src/a.rs", &format!("let a = \"{long}\";\n"), &[]);
    check("src/a.rs", &format!("let {long} = \"{long}\";\n"), &["2: 212 columns"]);
    check("src/a.rs", &format!("// https://example.org/{long}\n"), &[]);
}

#[test]
fn the_core_is_without_std_and_floats() {
    check("systems/a.rs", "use std::fs;\n", &["2: `std::`"]);
    check("systems/a.rs", "extern crate std;\n", &["2: `extern crate std`"]);
    check("systems/a.rs", "let a: f64 = 1.0f32;\n", &["2: `f32`", "2: `f64`"]);
    check("systems/a.rs", "// std:: and f64\nlet sha_f32x = \"std::\";\n", &[]);
    check("systems/a.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    check("systems/a.rs", "#[cfg(test)]\nmod tests;\nuse std::fs;\n", &["4: `std::`"]);
    check("src/a.rs", "use std::fs;\nlet a: f64;\n", &[]);
    check("systems/tests.rs", "use std::fs;\n", &[]);
}

#[test]
fn shipped_code_does_not_panic_or_print() {
    check("src/a.rs", "a.unwrap();\n", &["2: `.unwrap()`"]);
    check("src/a.rs", "a\n    .expect(\"so\");\n", &["3: `.expect(\"`"]);
    check("src/a.rs", "a.expect(\n    \"so\",\n);\n", &["2: `.expect(\"`"]);
    check("src/a.rs", "self.expect(b'(')?;\na.expect_err(\"so\");\n", &[]);
    check("src/a.rs", "panic!();\n", &["2: `panic!`"]);
    check("src/a.rs", "a.unwrap_or(1);\nstd::panic::catch_unwind(f);\n", &[]);
    check("src/a.rs", "eprintln!();\n", &["2: `eprintln!`"]);
    check("src/cli/replay.rs", "eprintln!();\n", &[]);
    check("src/main.rs", "println!();\n", &[]);
    check("tests/a.rs", "a.unwrap();\nprintln!();\n", &[]);
}

#[test]
fn unfinished_work_is_found_everywhere() {
    check("tests/a.rs", "todo!();\n", &["2: `todo!`"]);
    check("tests/a.rs", "unimplemented!();\n", &["2: `unimplemented!`"]);
    check("benches/a.rs", "dbg!(a);\n", &["2: `dbg!`"]);
    check("tests/a.rs", "#[ignore]\nfn f() {}\n", &["2: `#[ignore`"]);
    check("tests/a.rs", "#[ignore = \"slow\"]\nfn f() {}\n", &["2: `#[ignore`"]);
    check("src/a.rs", "#[cfg(test)]\nmod tests {\n    #[ignore]\n}\n", &["4: `#[ignore`"]);
}

#[test]
fn an_exception_covers_its_line_only() {
    let text = format!("{HEADER}one.unwrap();\ntwo.unwrap();\n");
    let exception = Exception {
        file: "src/a.rs",
        word: ".unwrap()",
        line_holds: "one",
        reason: "tried in this test",
    };
    let found = check_file("src/a.rs", &text, &[exception]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("src/a.rs:3:"), "{found:?}");
}

#[test]
fn the_lexer_tells_code_from_the_rest() {
    let code = |text: &str| Source::new(text).code.trim_end().to_owned();
    assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
    assert_eq!(code("a // {\nb"), "a     \nb");
    assert_eq!(code(r#"("\"{", 'x', '\'', '{')"#), r#"("   ", ' ', '  ', ' ')"#);
    assert_eq!(code(r###"r#"a"{"# r"{" br"{" for"{""###), r###"r#"   "# r" " br" " for" ""###);
    assert_eq!(code("fn f<'a>(b: &'a str, c: '\u{e9}')"), "fn f<'a>(b: &'a str, c: '  ')");
    assert_eq!(code("\"open {"), "\"");
    assert_eq!(code("/* open {"), "");
}

#[test]
fn the_lexer_finds_functions() {
    let text = "trait T { fn declared(a: [u8; 2]); }\nconst fn one() {\n    '{'\n}\n\
                fn two(f: fn(u8)) { fn inner() {} }\nlet fnord = 1;\n";
    let function = |name: &str, line, lines| Function { name: name.to_owned(), line, lines };
    let wanted = vec![function("one", 2, 3), function("two", 5, 1), function("inner", 5, 1)];
    assert_eq!(Source::new(text).functions(), wanted);
}

#[test]
fn strangers_at_the_top_and_large_files_are_found() {
    let names = ["src", ".ci", "notes.txt"].map(str::to_owned);
    assert_eq!(top_level(&names).len(), 1);
    let files = [("src/a.bin", 1 << 20), ("src/b.bin", (1 << 20) + 1), ("traces/c.zst", 9 << 20)];
    let found = sizes(&files.map(|(path, bytes)| (path.to_owned(), bytes)));
    assert!(found.len() == 1 && found[0].starts_with("src/b.bin:1:"), "{found:?}");
}

#[test]
fn dead_links_are_found() {
    let exists = |path: &str| path == "traces/README.md" || path == "systems/README.md";
    let good = "# The one, top\n[a](../systems/README.md) [b](README.md#x) [c](#the-one-top)\n\
                [d](https://example.org) `[e](none)`\n```\n[f](none)\n```\n[g]: README.md\n";
    assert_eq!(links("traces/README.md", good, &exists), Vec::<String>::new());
    for bad in
        ["[a](none.md)", "[a](../../out)", "[a](#none)", "x [a](README.md) [b](n)", "[r]: none"]
    {
        let text = format!("# One\n{bad}\n");
        let found = links("traces/README.md", &text, &exists);
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with("traces/README.md:2: dead link"), "{found:?}");
    }
}

#[test]
fn the_code_map_is_compared_both_ways() {
    let files = ["lib.rs", "abi/mod.rs", "abi/errno.rs", "abi/signal.rs"].map(str::to_owned);
    let map = "`lib.rs` crate\n`abi/` numbers: errno.rs, signal.rs.\n";
    assert_eq!(code_map(map, &files), Vec::<String>::new());
    assert_eq!(code_map("lib.rs abi/errno.rs and abi/signal.rs in abi/", &files).len(), 0);
    let found = code_map("`lib.rs`\n`abi/` errno.rs signals.rs\n", &files);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("systems/README.md:2: no file signals.rs"), "{found:?}");
    assert!(found[1].starts_with("systems/abi/signal.rs:1: not in the code map"), "{found:?}");
}
