//! Random histories on a model of a file system, which check what the forwarder promises about files and its books.

mod app;
mod history;
mod run;
mod volume;

pub(crate) use self::history::{Step, play};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn every_byte_has_one_account_and_every_line_that_is_there_is_delivered(
            steps in proptest::collection::vec(any::<u8>().prop_map(Step::of), 0..160),
            is_narrow: bool,
        ) {
            play(&steps, is_narrow);
        }
    }
}
