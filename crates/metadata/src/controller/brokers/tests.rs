use super::*;

/// An image with brokers: id, rack ("" for none), fenced.
pub(crate) fn image_of(brokers: &[(i32, &str, bool)]) -> Image {
    let mut image = Image::default();
    for &(id, rack, fenced) in brokers {
        let record = RegisterBrokerRecord {
            broker_id: id,
            incarnation_id: Uuid([id as u8; 16]),
            broker_epoch: i64::from(id),
            rack: (!rack.is_empty()).then(|| rack.to_owned().into()),
            fenced,
            log_dirs: vec![Uuid([id as u8 + 100; 16])].into(),
            ..RegisterBrokerRecord::default()
        };
        image.replay(image.end(), &record.into());
    }
    image
}
