use super::*;

fn key(partition: i32) -> PartitionKey {
    PartitionKey { topic: TopicKey::Name("t".into()), partition: PartitionIndex(partition) }
}

fn wanted(partition: i32, offset: i64) -> Wanted {
    Wanted {
        key: key(partition),
        current_leader_epoch: LeaderEpoch::NONE,
        fetch_offset: Offset(offset),
        last_fetched_epoch: LeaderEpoch::NONE,
        bytes_max: 1000,
    }
}

fn told(high_watermark: i64, records: bool) -> Told {
    Told {
        high_watermark: Offset(high_watermark),
        log_start_offset: Offset(0),
        records,
        always: false,
        unsound: false,
    }
}

fn asked(session_id: i32, session_epoch: i32) -> Asked {
    Asked { session_id, session_epoch, topic_ids: false }
}

fn begin(
    sessions: &FetchSessions,
    asked: Asked,
    names: Vec<Wanted>,
    drops: Vec<PartitionKey>,
) -> Result<Context, ErrorCode> {
    sessions.begin(Instant::now(), asked, names, drops.into_iter())
}

fn open(sessions: &FetchSessions, partitions: i32) -> i32 {
    let answered = (0..partitions).map(|index| (wanted(index, 0), told(5, false)));
    sessions.open(Instant::now(), false, answered)
}

fn session(context: Result<Context, ErrorCode>) -> Arc<Session> {
    match context {
        Ok(Context::Incremental(session, _)) => session,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_remembers_what_is_followed() {
    let sessions = FetchSessions::new(10, 1000);
    assert!(matches!(begin(&sessions, asked(0, 0), vec![wanted(0, 0)], vec![]), Ok(Context::Full(_))));
    let id = open(&sessions, 3);
    assert!(id > 0);
    let session = session(begin(&sessions, asked(id, 1), vec![wanted(1, 7), wanted(9, 1)], vec![key(0)]));
    assert_eq!(session.wanted(), [wanted(1, 7), wanted(2, 0), wanted(9, 1)]);
    assert_eq!(sessions.counts(), (1, 3, 0));
}

#[test]
fn epochs_must_follow_one_another() {
    let sessions = FetchSessions::new(10, 1000);
    let id = open(&sessions, 1);
    let refused = |epoch| begin(&sessions, asked(id, epoch), vec![], vec![]).err();
    assert_eq!(refused(2), Some(ErrorCode::InvalidFetchSessionEpoch));
    assert_eq!(refused(1), None);
    assert_eq!(refused(1), Some(ErrorCode::InvalidFetchSessionEpoch));
    assert_eq!(refused(2), None);
    let unknown = begin(&sessions, asked(id.wrapping_add(1).max(1), 1), vec![], vec![]).err();
    assert_eq!(unknown, Some(ErrorCode::FetchSessionIdNotFound));
    let by_id = Asked { topic_ids: true, ..asked(id, 3) };
    assert_eq!(begin(&sessions, by_id, vec![], vec![]).err(), Some(ErrorCode::FetchSessionTopicIdError));
    assert_eq!(next_epoch(i32::MAX), 1);
}

#[test]
fn full_requests_and_emptied_sessions_end_the_session() {
    let sessions = FetchSessions::new(10, 1000);
    for epoch in [INITIAL_EPOCH, FINAL_EPOCH] {
        let id = open(&sessions, 1);
        begin(&sessions, asked(id, epoch), vec![], vec![]).unwrap();
        assert_eq!(sessions.counts().0, 0, "{epoch}");
    }
    let id = open(&sessions, 1);
    let emptied = begin(&sessions, asked(id, 1), vec![], vec![key(0)]);
    assert!(matches!(emptied, Ok(Context::Sessionless(wanted)) if wanted.is_empty()));
    assert_eq!(sessions.counts().0, 0);
}

#[test]
fn only_news_are_told() {
    let sessions = FetchSessions::new(10, 1000);
    let id = open(&sessions, 1);
    let session = session(begin(&sessions, asked(id, 1), vec![], vec![]));
    let tell = |told| session.answer().tell(&key(0), told);
    assert!(!tell(told(5, false)), "nothing has changed");
    assert!(tell(told(6, false)), "the high watermark moved");
    assert!(!tell(told(6, false)));
    assert!(tell(Told { log_start_offset: Offset(1), ..told(6, false) }), "the log start moved");
    assert!(tell(Told { log_start_offset: Offset(1), ..told(6, true) }), "records");
    let error = Told { log_start_offset: Offset(-1), always: true, unsound: true, ..told(-1, false) };
    assert!(tell(error) && tell(error), "errors are told each time");
    assert!(tell(Told { log_start_offset: Offset(1), ..told(6, false) }), "and their end");
}

#[test]
fn a_partition_whose_records_were_sent_goes_to_the_end() {
    let sessions = FetchSessions::new(10, 1000);
    let id = open(&sessions, 3);
    let session = session(begin(&sessions, asked(id, 1), vec![], vec![]));
    session.answer().tell(&key(0), told(9, true));
    let order = || session.wanted().iter().map(|wanted| wanted.key.partition.0).collect::<Vec<_>>();
    assert_eq!(order(), [1, 2, 0]);
    assert!(
        !session.answer().tell(&key(0), told(9, false)),
        "what was told of it is remembered where it went"
    );
    begin(&sessions, asked(id, 2), vec![wanted(0, 7)], vec![]).unwrap();
    assert_eq!(order(), [1, 2, 0], "and so is where it is read from");
    assert_eq!(session.wanted()[2], wanted(0, 7));
}

#[test]
fn what_diverged_when_a_session_began_is_told_once_it_is_sound() {
    let sessions = FetchSessions::new(10, 1000);
    let diverges = Told { always: true, unsound: true, ..told(5, false) };
    let id = sessions.open(Instant::now(), false, [(wanted(0, 0), diverges)].into_iter());
    let session = session(begin(&sessions, asked(id, 1), vec![], vec![]));
    assert!(session.answer().tell(&key(0), told(5, false)));
    assert!(!session.answer().tell(&key(0), told(5, false)));
}

#[test]
fn a_full_cache_gives_way_only_to_who_deserves_it() {
    let sessions = FetchSessions::new(2, 1000);
    let start = Instant::now();
    let answered = |partitions: i32| (0..partitions).map(|index| (wanted(index, 0), told(0, false)));
    let small = sessions.open(start, false, answered(1));
    let large = sessions.open(start, false, answered(5));
    assert_eq!(sessions.open(start + Duration::from_secs(1), false, answered(9)), 0, "both are young");
    let later = start + Duration::from_secs(121);
    for (id, epoch) in [(small, 1), (large, 1)] {
        sessions.begin(later, asked(id, epoch), vec![], std::iter::empty()).unwrap();
    }
    assert_eq!(sessions.open(later, false, answered(1)), 0, "no smaller one to take from");
    assert!(sessions.open(later, false, answered(3)) > 0, "larger than the smallest");
    assert_eq!(
        sessions.begin(later, asked(small, 2), vec![], std::iter::empty()).err(),
        Some(ErrorCode::FetchSessionIdNotFound)
    );
    let idle = later + Duration::from_secs(121);
    assert!(sessions.open(idle, false, answered(1)) > 0, "one was unused for two minutes");
    assert_eq!(sessions.counts().2, 2);
    assert_eq!(FetchSessions::new(0, 1000).open(start, false, answered(1)), 0);
}

#[test]
fn all_sessions_together_follow_no_more_partitions_than_the_bound() {
    let sessions = FetchSessions::new(10, 5);
    let first = open(&sessions, 3);
    assert_eq!(open(&sessions, 3), 0, "six would be followed");
    let second = open(&sessions, 2);
    assert_eq!(sessions.counts(), (2, 5, 0));
    // What is followed already is no growth.
    assert!(begin(&sessions, asked(first, 1), vec![wanted(0, 7)], Vec::new()).is_ok());
    let grown = begin(&sessions, asked(second, 1), vec![wanted(7, 0)], Vec::new());
    assert_eq!(grown.unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    assert_eq!(sessions.counts(), (1, 3, 1));
    assert!(begin(&sessions, asked(first, 2), vec![wanted(8, 0), wanted(9, 0)], vec![key(0)]).is_ok());
    assert_eq!(sessions.counts(), (1, 4, 1));
    assert!(begin(&sessions, asked(first, 3), Vec::new(), vec![key(1), key(2), key(8), key(9)]).is_ok());
    assert_eq!(sessions.counts(), (0, 0, 1));
}
