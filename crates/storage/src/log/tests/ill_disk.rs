//! A disk that says it is ill, by each of its names and at whatever is done to the files of a log; and one without room, or
//! without room left for this user.

use super::*;

/// What is done to which files while a log lives, each at a moment when something is acknowledged already.
const DONE: [(&str, &str); 8] = [
    ("pwrite", ".log"),
    ("pread", ".log"),
    ("fdatasync", ".log"),
    ("open", ".log"),
    ("open", ".index"),
    ("open", ".snapshot.tmp"),
    ("rename", ".snapshot.tmp"),
    ("truncate", ".log"),
];
const ILL: [Errno; 7] =
    [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::STALE, Errno::UCLEAN, Errno::BADMSG, Errno::REMOTEIO];
/// How many batches there are before anything fails.
const BEGUN: i32 = 3;

struct Life {
    bench: Bench<ScriptedDisk>,
    log: Log<ScriptedDisk>,
    /// How many batches were acknowledged as durable.
    acknowledged: i32,
    /// How many of them may have been cut by who failed to say so.
    may_lack: i64,
}

impl Life {
    fn begin() -> Self {
        let mut bench = Bench::new(ScriptedDisk::default());
        bench.config.flush_messages = Some(1);
        let log = bench.create();
        let mut life = Self { bench, log, acknowledged: 0, may_lack: 0 };
        (0..BEGUN).for_each(|_| assert!(life.goes_on()));
        life
    }

    /// One batch more, which is acknowledged once it is durable; whether it was.
    fn goes_on(&mut self) -> bool {
        let batch = of_producer(9, self.acknowledged, 1, false);
        let (told, outcome) = std::sync::mpsc::channel();
        let done = match append(&mut self.log, batch) {
            Ok(_) => {
                self.log.commit(Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()));
                outcome.recv().unwrap()
            }
            Err(_) => false,
        };
        self.acknowledged += i32::from(done);
        done
    }

    /// Appends, rolls, reads all, looks old ones up in files that are no longer open, cuts what was not acknowledged.
    fn live(&mut self) {
        let acknowledged = self.acknowledged;
        for _ in 0..40 {
            if !self.goes_on() {
                break;
            }
        }
        let last = Offset(i64::from(self.acknowledged) - 1);
        if self.acknowledged > acknowledged + 2 {
            match self.log.truncate(last, NOW) {
                Ok(_) => self.acknowledged -= 1,
                Err(_) => self.may_lack = 1,
            }
        }
        self.bench.home.descriptors().close_all();
        for offset in 0..i64::from(self.acknowledged) {
            let _read = self.log.read(Offset(offset), Offset(offset + 1), 1 << 20, true);
            let isolation = Isolation::LogEnd;
            let _found = self.log.offset_for_timestamp(NOW, isolation, &mut Decompressors::default());
        }
    }

    fn health(&self) -> DirectoryHealth {
        self.bench.home.state().health()
    }

    /// After a restart on a disk that is well all that was acknowledged is there, and it goes on.
    fn starts_again(self) -> i64 {
        let (bench, checkpoints) = (self.bench, unclean(&self.log));
        drop(self.log);
        bench.home.disk().mend();
        let home = Arc::clone(&bench.home);
        drop(bench.home);
        let descriptors = Descriptors::new(ScriptedDisk::default(), 4);
        drop(home);
        let home = LogDirectory::start(bench._temp.path(), Uuid([7; 16]), descriptors, 0).unwrap();
        let bench = Bench { _temp: bench._temp, home: Arc::new(home), config: bench.config };
        let mut log = bench.open(checkpoints);
        let end = log.partition().watermarks().log_end;
        assert_eq!(Batches::new(&read_all(&mut log)).count() as i64, end.0);
        append(&mut log, plain(1, 10)).unwrap();
        end.0
    }
}

#[test]
fn an_ill_disk_is_used_no_more_whatever_it_says_and_wherever() {
    for errno in ILL {
        for (verb, suffix) in DONE {
            let mut life = Life::begin();
            life.bench.home.disk().fail_once(verb, suffix, errno);
            life.live();
            let what = format!("{verb} {suffix} {errno}");
            assert_eq!(life.health(), DirectoryHealth::Offline, "{what}");
            let refused = append(&mut life.log, plain(1, 10)).unwrap_err().to_string();
            assert!(refused.contains("is offline after an earlier error"), "{what}: {refused}");
            assert!(!life.bench.home.look_for_room(), "{what}: it is not well because there is room");
            let acknowledged = i64::from(life.acknowledged) - life.may_lack;
            let end = life.starts_again();
            assert!(end >= acknowledged, "{what}: {end} are there of {acknowledged}");
        }
    }
}

#[test]
fn without_room_or_quota_a_log_waits_for_it_but_where_it_was_promised_before() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        for (verb, suffix) in DONE {
            // A read needs none.
            if verb == "pread" {
                continue;
            }
            let mut life = Life::begin();
            life.bench.home.disk().fail_once(verb, suffix, errno);
            life.live();
            let what = format!("{verb} {suffix} {errno}");
            if verb == "fdatasync" {
                assert_eq!(life.health(), DirectoryHealth::Offline, "{what}");
                continue;
            }
            assert_ne!(life.health(), DirectoryHealth::Offline, "{what}");
            life.bench.home.look_for_room();
            assert_eq!(life.health(), DirectoryHealth::Online, "{what}: there is room");
            assert!(life.goes_on(), "{what}: it takes records again");
            let acknowledged = i64::from(life.acknowledged) - life.may_lack;
            let end = life.starts_again();
            assert!(end >= acknowledged, "{what}: {end} are there of {acknowledged}");
        }
    }
}
