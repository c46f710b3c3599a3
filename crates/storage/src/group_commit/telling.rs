//! What those who are told of a group leave until all of it have been told: to wake somebody, say, who would take the processor
//! from the thread that tells. It belongs to the thread, and says nothing about what is told. Driven by the fsync thread of a log
//! directory, on which tickets are told.

use std::cell::RefCell;

type Then = Box<dyn FnOnce()>;

thread_local! {
    /// What is left for the end of the group that is being told. Bound: as many as are told.
    static LEFT: RefCell<Option<Vec<Then>>> = const { RefCell::new(None) };
}

/// Tells a group, then does what was left for the end.
pub fn as_a_group(tell: impl FnOnce()) {
    // Who is told may drop the last handle of a directory, whose own group is told then.
    let outer = LEFT.replace(Some(Vec::new()));
    tell();
    let left = LEFT.replace(outer);
    left.into_iter().flatten().for_each(|then| then());
}

/// Does this once all of the group have been told that this thread tells; at once if it tells none.
pub fn after_the_group(then: impl FnOnce() + 'static) {
    let now = LEFT.with_borrow_mut(|left| match left {
        Some(left) => {
            left.push(Box::new(then));
            None
        }
        None => Some(then),
    });
    if let Some(then) = now {
        then();
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn what_is_left_comes_after_all_have_been_told() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let see = |what: &'static str| {
            let seen = Rc::clone(&seen);
            move || seen.borrow_mut().push(what)
        };
        after_the_group(see("alone"));
        as_a_group(|| {
            after_the_group(see("left by one"));
            see("one")();
            as_a_group(|| after_the_group(see("of another group")));
            after_the_group(see("left by two"));
            see("two")();
        });
        after_the_group(see("alone"));
        let expected = ["alone", "one", "of another group", "two", "left by one", "left by two", "alone"];
        assert_eq!(*seen.borrow(), expected);
    }
}
