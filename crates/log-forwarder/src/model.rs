//! Random histories on a model of a file system, which check what the forwarder promises about files and its books.

mod app;
mod history;
mod order;
mod run;
mod volume;

pub(crate) use self::{
    history::{Step, play},
    run::Setup,
};

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{
        app::{App, path},
        run::{OUTPUTS, Run},
        volume::Model,
        *,
    };

    #[test]
    fn a_file_that_cannot_be_read_holds_up_no_later_file_of_its_path() {
        let model = Model::default();
        let mut app = App::new(model.clone());
        app.write(0, 2);
        let mut run = Run::start(&model, None, Instant::now(), Setup::of(0));
        app.rename(0);
        model.damage(&path("app.log.1"), true);
        app.write(0, 1);
        run.scan(model.take_renames(), false);
        let delivered = |run: &mut Run| {
            run.hand_out(OUTPUTS[0]);
            run.answer(OUTPUTS[0], true);
            run.settled[0].len()
        };
        assert_eq!(delivered(&mut run), 1);
        // It is tried again, and fails again.
        run.wait(Duration::from_secs(2));
        run.look();
        app.write(0, 1);
        run.look();
        assert_eq!(delivered(&mut run), 2);
        model.damage(&path("app.log.1"), false);
        assert_eq!(delivered(&mut run), 2);
        run.wait(Duration::from_secs(2));
        run.look();
        assert_eq!(delivered(&mut run), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn every_byte_has_one_account_and_every_line_that_is_there_is_delivered(
            steps in proptest::collection::vec(any::<u8>().prop_map(Step::of), 0..160),
            setup in (0..16u8).prop_map(Setup::of),
        ) {
            play(&steps, setup);
        }
    }
}
