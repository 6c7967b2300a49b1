//! Words that stand where a PATH or a pattern belongs: each has its remedy.

use crate::{support::Tree, usage::assert_refused};

#[test]
fn a_path_that_a_manifest_has_torn_is_explained() {
    let tree = Tree::new(&["a"]);
    let not_replaced = "a variable was not replaced: in a manifest, $(NAME) needs NAME under env: of the same container, \
                        and no shell replaces $NAME";
    let joined = "is it a part of --mode? its parts are joined by commas, as in u=rwX,g=rX";
    let several = "are these several PATHs? each is an argument, or a line of the variable";
    let owner = "an owner is written as --owner 1000:1000, and a mode as --mode 0640";
    for (path, words) in [
        ("data/$(NAME)", not_replaced),
        ("g=rX", joined),
        ("data data/a", several),
        ("1000:1000", owner),
        ("0755", owner),
    ] {
        assert_refused(&tree, &["--mode", "0700", path], &format!("{path} does not exist: {words}"));
    }
    let path = "data/${NAME}";
    assert_refused(&tree, &["--mode", "0700", "--create", path], &format!("{path} is not made: {not_replaced}"));
}

#[test]
fn a_pattern_that_begins_with_the_path_is_refused() {
    let tree = Tree::new(&["a"]);
    let pattern = format!("{}/a/**", tree.path());
    assert_refused(
        &tree,
        &["--mode", "0700", "--exclude", &pattern, &tree.path()],
        "exclude: a path in a pattern begins below PATH: write a/**",
    );
}
