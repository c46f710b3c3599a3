//! Client quotas, by the entities they are for (KIP-546).

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

/// Whom a quota is for: pairs of a type (`user`, `client-id`, `ip`) and a name, `None` for the default.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// The quotas that were set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Quotas {
    by_entity: OrdMap<QuotaEntity, Arc<BTreeMap<String, f64>>>,
}

impl Quotas {
    /// All entities with quotas, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &Arc<BTreeMap<String, f64>>)> {
        self.by_entity.iter()
    }

    pub(crate) fn set(&mut self, entity: QuotaEntity, key: &str, value: Option<f64>) {
        match value {
            Some(value) => {
                let values = self.by_entity.entry(entity).or_default();
                Arc::make_mut(values).insert(key.to_owned(), value);
            }
            None => {
                if let Some(values) = self.by_entity.get_mut(&entity) {
                    Arc::make_mut(values).remove(key);
                    if values.is_empty() {
                        self.by_entity.remove(&entity);
                    }
                }
            }
        }
    }
}
