//! Tests of values made from files that change.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{atomic::AtomicUsize, mpsc},
};

use super::*;

/// The text of a file; the counter counts the readings.
fn text(path: &Path) -> (Source<String>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, file) = (count.clone(), path.to_owned());
    let read = move || {
        counter.fetch_add(1, Relaxed);
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if text == "bad" { Err("bad".to_owned()) } else { Ok(text) }
    };
    (Source::files(vec![path.into()], read), count)
}

/// As if the files had other versions than those that were read
pub(crate) fn change<T: Clone + Send>(source: &Source<T>) {
    if let Source::Files(files) = source {
        files.0.state().versions = None;
    }
    age(source);
}

/// Lets this much of the paused time pass, after what waits for it has begun to wait. The clock does not move by itself while
/// a look blocks its thread.
async fn pass(duration: Duration) {
    for _ in 0..10 {
        task::yield_now().await;
    }
    time::advance(duration).await;
}

/// As if the last look were a second ago
fn age<T: Clone + Send>(source: &Source<T>) {
    if let Source::Files(files) = source {
        files.0.state().looked = None;
    }
}

#[tokio::test]
async fn a_file_is_looked_at_once_a_second_and_read_when_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    let (source, readings) = text(&path);
    let missing = source.current().await.unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
    fs::write(&path, "one").unwrap();
    assert!(source.current().await.is_err(), "not looked at again within a second");
    age(&source);
    for _ in 0..3 {
        assert_eq!(source.current().await.unwrap(), "one");
    }
    fs::write(&path, "three").unwrap();
    assert_eq!(source.current().await.unwrap(), "one");
    age(&source);
    assert_eq!(source.current().await.unwrap(), "three");
    age(&source);
    assert_eq!(source.current().await.unwrap(), "three");
    assert_eq!(readings.load(Relaxed), 3);
    read_files_again();
    assert_eq!(source.current().await.unwrap(), "three");
    assert_eq!(readings.load(Relaxed), 4);
}

#[tokio::test]
async fn what_cannot_be_used_does_not_replace_the_last_value_unless_that_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    fs::write(&path, "good").unwrap();
    let (source, _) = text(&path);
    assert_eq!(source.current().await.unwrap(), "good");
    fs::write(&path, "bad").unwrap();
    age(&source);
    assert_eq!(source.current().await.unwrap(), "good");
    source.forget();
    let bad = |may_pass| Failure::File { reason: "bad".into(), may_pass };
    assert_eq!(source.current().await.unwrap_err(), bad(true), "it was good once");
    fs::remove_file(&path).unwrap();
    age(&source);
    let gone = source.current().await.unwrap_err();
    assert!(matches!(gone, Failure::File { may_pass: true, .. }), "{gone:?}");
    fs::write(&path, "better").unwrap();
    age(&source);
    assert_eq!(source.current().await.unwrap(), "better");
    fs::write(&path, "bad").unwrap();
    assert_eq!(text(&path).0.current().await.unwrap_err(), bad(false), "it was never good");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_ends_no_use_and_its_late_result_is_kept() {
    let (answer, question) = mpsc::channel::<&'static str>();
    let question = Mutex::new(question);
    let read = move || question.lock().unwrap().recv().map_err(|error| error.to_string());
    let source = Source::files(vec!["/mnt/hung/token".into()], read);
    let (hung, ()) = tokio::join!(source.current(), pass(FIRST_PATIENCE));
    let hung = hung.unwrap_err();
    assert!(matches!(&hung, Failure::File { may_pass: true, .. }), "{hung}");
    time::resume();
    answer.send("one").unwrap();
    while source.current().await.is_err() {
        task::yield_now().await;
    }
    // The next look hangs too, and the last value stays in use.
    change(&source);
    assert_eq!(source.current().await.unwrap(), "one");
    drop(answer);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_given_up_is_a_volume_that_hangs_and_no_fault_of_the_file() {
    let (answer, question) = mpsc::channel::<()>();
    let question = Mutex::new(question);
    let read = move || question.lock().unwrap().recv().map_err(|error| error.to_string());
    let source = Source::files(vec!["/mnt/given-up/token".into()], read);
    let (first, ()) = tokio::join!(source.current(), pass(FIRST_PATIENCE));
    assert!(first.is_err());
    pass(LOOK_LIMIT.saturating_sub(FIRST_PATIENCE * 3 / 2)).await;
    // This use waits when the look is given up.
    let (given_up, ()) = tokio::join!(source.current(), pass(FIRST_PATIENCE * 3 / 4));
    drop(answer);
    let given_up = given_up.unwrap_err();
    assert!(matches!(&given_up, Failure::File { may_pass: true, .. }), "{given_up:?}");
}

#[tokio::test]
async fn a_value_that_is_refused_during_a_look_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text");
    fs::write(&path, "one").unwrap();
    let (source, readings) = text(&path);
    assert_eq!(source.current().await.unwrap(), "one");
    source.forget();
    // The look that was under way found the version of the refused value.
    if let Source::Files(files) = &source {
        files.0.state().take(Ok(Found::Unchanged), Instant::now());
    }
    assert_eq!(source.current().await.unwrap(), "one");
    assert_eq!(readings.load(Relaxed), 2);
}

#[tokio::test]
async fn many_users_of_one_file_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca");
    fs::write(&path, "x").unwrap();
    let sources: Vec<_> = (0..50).map(|_| text(&path).0).collect();
    let texts = futures_util::future::join_all(sources.iter().map(Source::current)).await;
    assert!(texts.iter().all(|text| text.as_deref() == Ok("x")), "{texts:?}");
}

/// Looks at the files at this moment, as a use does.
fn look_at<T: Clone + Send>(source: &Source<T>, moment: Instant) {
    if let Source::Files(files) = source {
        let found = files.0.look();
        files.0.state().take(Ok(found), moment);
    }
}

#[tokio::test]
async fn a_secret_ends_when_its_file_is_gone_for_longer_than_a_writer_takes() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (directory.path().join("token"), directory.path().join("aside"));
    fs::write(&aside, "token").unwrap();
    let read = {
        let path = path.clone();
        move || fs::read_to_string(&path).map_err(|error| error.to_string())
    };
    let start = Instant::now();
    let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
    for (ends, source) in
        [(true, Source::secret_file(path.clone(), read.clone())), (false, Source::files(vec![path.clone()], read))]
    {
        // A link that is removed and made again has the version that it had.
        symlink(&aside, &path).unwrap();
        look_at(&source, at(0.0));
        fs::remove_file(&path).unwrap();
        look_at(&source, at(1.0));
        look_at(&source, at(2.9));
        assert_eq!(source.current().await.unwrap(), "token", "it may be replaced");
        symlink(&aside, &path).unwrap();
        look_at(&source, at(3.0));
        fs::remove_file(&path).unwrap();
        look_at(&source, at(3.5));
        look_at(&source, at(5.4));
        assert!(source.current().await.is_ok(), "the grace begins again");
        if ends {
            assert_eq!(source.fault(), None, "a file that is replaced is no fault");
        }
        look_at(&source, at(5.5));
        let now = source.current().await;
        assert_eq!(now.is_err(), ends, "{now:?}");
        assert!(matches!(source.fault(), Some(Failure::File { may_pass: true, .. })), "{:?}", source.fault());
        symlink(&aside, &path).unwrap();
        look_at(&source, at(6.0));
        assert_eq!((source.current().await.unwrap().as_str(), source.fault()), ("token", None));
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_secret_stays_while_its_file_is_there_and_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "token").unwrap();
    let file = path.clone();
    let read = move || fs::read_to_string(&file).map_err(|error| error.to_string());
    let source = Source::secret_file(path.clone(), read);
    let start = Instant::now();
    look_at(&source, start);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    look_at(&source, start + GRACE);
    look_at(&source, start + GRACE * 3);
    assert_eq!(source.current().await.unwrap(), "token");
    // A look that ends without an answer neither ends the value nor the grace.
    fs::remove_dir(&path).unwrap();
    look_at(&source, start + GRACE * 4);
    if let Source::Files(files) = &source {
        let silent = Failure::File { reason: "the volume does not answer".into(), may_pass: true };
        files.0.state().take(Err(silent), start + GRACE * 6);
    }
    assert_eq!(source.current().await.unwrap(), "token");
    look_at(&source, start + GRACE * 7);
    assert!(source.current().await.is_err());
}
