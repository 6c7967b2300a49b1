//! The values of a file, and the messages about a wrong one.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reading, read};

fn value(text: &str) -> Result<Value, String> {
    let tree = read(text).map_err(|fault| fault.to_string())?;
    Value::deserialize(Reading(&tree)).map_err(|fault| fault.to_string())
}

#[test]
fn values_are_those_of_the_core_schema() {
    let text = "a: [1, -2, 0o17, 0x1f, 1.5, 0640, true, ~, text, '1', \"x\\n\", 2m, .5, 1e400]\nb:\n- |\n  line\n- &k {c: d}\n- *k\n";
    let expected = json!({
        "a": [1, -2, 15, 31, 1.5, "0640", true, null, "text", "1", "x\n", "2m", 0.5, "1e400"],
        "b": ["line\n", {"c": "d"}, {"c": "d"}],
    });
    assert_eq!(value(text), Ok(expected));
    assert_eq!(value(""), Ok(Value::Null));
    assert_eq!(value("a: !!str 5"), Ok(json!({"a": "5"})));
}

#[test]
fn a_byte_order_mark_and_a_list_that_is_not_indented_are_read() {
    assert_eq!(value("\u{feff}targets:\n- a\n- b\nother: 1\n"), Ok(json!({"targets": ["a", "b"], "other": 1})));
}

#[test]
fn texts_are_read_as_they_are_written() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Texts {
        mode: String,
        none: Option<String>,
        word: Word,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        RootMatch,
    }
    let tree = read("mode: 0640\nnone: ~\nword: root-match\n").unwrap();
    let expected = Texts { mode: "0640".into(), none: None, word: Word::RootMatch };
    assert_eq!(Texts::deserialize(Reading(&tree)).unwrap(), expected);
}

#[test]
fn a_list_is_no_map() {
    #[derive(Deserialize, Debug)]
    struct Outer {
        #[serde(rename = "volumes")]
        _volumes: Vec<Inner>,
    }
    #[derive(Deserialize, Debug)]
    struct Inner {
        #[serde(rename = "path")]
        _path: String,
        #[serde(rename = "fields", default)]
        _fields: BTreeMap<String, String>,
    }
    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        Always,
        RootMatch,
    }
    for (text, place) in [
        ("volumes: [[/data]]", "1:11"),
        ("[[{path: /data}]]", "1:1"),
        ("- - path: /data", "1:1"),
        ("volumes:\n- path: /data\n  fields: [[a, b]]", "3:11"),
    ] {
        let tree = read(text).unwrap();
        let said = Outer::deserialize(Reading(&tree)).unwrap_err().to_string();
        assert_eq!(said, format!("{place}: this is a list; write a map, as in key: value"), "{text}");
    }
    for text in ["[always]", "{always: }"] {
        let said = Word::deserialize(Reading(&read(text).unwrap())).unwrap_err().to_string();
        assert_eq!(said, "1:1: expected one of the words always, root-match", "{text}");
    }
    for (text, word) in [("always", "Always"), ("root-match", "RootMatch")] {
        assert_eq!(format!("{:?}", Word::deserialize(Reading(&read(text).unwrap())).unwrap()), word);
    }
}

#[test]
fn bounds_hold_and_name_the_place() {
    for (text, words) in [
        ("- ".repeat(1 << 19), "1:41: more than 20 lists and maps within one another"),
        ("? ".repeat(1 << 19), "1:41: more than 20 lists and maps"),
        // The parser reads ahead here, and has a bound of its own.
        ("[".repeat(1 << 20), "recursion limit exceeded"),
        ("{[".repeat(1 << 19), "recursion limit exceeded"),
        (format!("{}{}", "[".repeat(30), "]".repeat(30)), "1:21: more than 20 lists and maps"),
        (format!("a: [{}]", "b,".repeat(1 << 18)), "the file has more than 20000 values"),
        (format!("x: &a [1]\ny: [{}]", "*a,".repeat(1 << 18)), "the file has more than 20000 values"),
        (format!("x: &a {}\ny: [{}]", "z".repeat(1 << 16), "*a,".repeat(99)), "more than 1024 KiB of text"),
        ("a: &a [*a]".to_owned(), "1:8: an alias within its own anchor"),
        ("a: 1\n---\nb: 2\n".to_owned(), "2:1: a second document"),
        ("a: 1\nb: 2\na: 3\n".to_owned(), "3:1: this key is given twice"),
        ("[a]: 1\n".to_owned(), "a key is a text"),
        ("a: !secret b\n".to_owned(), "1:4: a tag that no configuration has"),
        ("a: 'open".to_owned(), "this is not YAML"),
    ] {
        let said = value(&text).unwrap_err();
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn ten_levels_of_aliases_stay_within_the_bounds() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert!(value(&text).unwrap_err().contains("more than 20000 values"));
}

#[test]
fn no_fault_repeats_a_value() {
    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(rename = "outputs")]
        _outputs: Vec<String>,
        #[serde(rename = "count", default)]
        _count: u8,
        #[serde(rename = "fields", default)]
        _fields: BTreeMap<String, String>,
    }
    for text in [
        "outputs: hunter2",
        "outputs: [{hunter2: hunter2}]",
        "outputs: []\nhunter2: 1",
        "outputs: []\nfields: hunter2",
        "outputs: []\ncount: hunter2",
        "outputs: []\ncount: 7777777",
        "hunter2",
        "*hunter2",
        "!hunter2 x",
        "'hunter2",
        "%TAG hunter2",
        "a: b: hunter2",
    ] {
        let said = match read(text) {
            Ok(tree) => Config::deserialize(Reading(&tree)).unwrap_err().to_string(),
            Err(fault) => fault.to_string(),
        };
        assert!(!said.contains("hunter2") && !said.contains("777"), "{text}: {said}");
    }
    let tree = read("outputs: []\noutptus: []\n").unwrap();
    let said = Config::deserialize(Reading(&tree)).unwrap_err().to_string();
    assert_eq!(said, "2:1: unknown key \"outptus\"; did you mean outputs?");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \\n\\ta-c0~<.]{0,60}") {
        let _ = value(&text);
    }
}

#[test]
fn a_choice_is_a_map_with_one_key() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Choice {
        File(String),
        Plain,
    }
    #[derive(Debug, Deserialize)]
    struct Whole {
        choice: Choice,
    }
    let choice = |text: &str| {
        let tree = super::read(text).map_err(|fault| fault.to_string())?;
        Whole::deserialize(Reading(&tree)).map(|whole| whole.choice).map_err(|fault| fault.to_string())
    };
    assert_eq!(choice("choice: {file: /a}"), Ok(Choice::File("/a".into())));
    assert_eq!(choice("choice: plain"), Ok(Choice::Plain));
    assert_eq!(
        choice("choice: {file: /a, plain: b}").unwrap_err(),
        "1:9: expected one key, which is one of file, plain"
    );
    assert!(choice("choice: {secret-here: /a}").unwrap_err().contains("file"));
    assert!(!choice("choice: {secret-here: /a}").unwrap_err().contains("secret-here"));
    assert!(choice("choice: []").unwrap_err().contains("expected one of the words file, plain"));
}
