//! The operations a client may do, as answers report them: one bit for each of Kafka's `AclOperation` numbers.
//!
//! There is no authorizer yet, so that everybody may do everything that the kind of resource knows.

/// Nobody asked for the operations.
pub const NOT_ASKED: i32 = i32::MIN;

/// Read, write, create, delete, alter, describe, describe configs and alter configs.
pub const TOPIC: i32 = operations(&[3, 4, 5, 6, 7, 8, 10, 11]);

/// Create, alter, describe, cluster action, describe configs, alter configs and idempotent write.
pub const CLUSTER: i32 = operations(&[5, 7, 8, 9, 10, 11, 12]);

/// Read, delete, describe, describe configs and alter configs.
pub const GROUP: i32 = operations(&[3, 6, 8, 10, 11]);

const fn operations(numbers: &[u8]) -> i32 {
    let (mut bits, mut at) = (0, 0);
    while at < numbers.len() {
        bits |= 1 << numbers[at];
        at += 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_apache_kafka_without_an_authorizer() {
        assert_eq!((TOPIC, CLUSTER), (3576, 8096));
    }
}
