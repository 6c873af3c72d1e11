//! Things by name, of which the unnamed one is used far more than all others.
//! Used for prepared statements and portals.

use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Named<T> {
    unnamed: Option<T>,
    others: HashMap<String, T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named {
            unnamed: None,
            others: HashMap::new(),
        }
    }
}

impl<T> Named<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        match name {
            "" => self.unnamed.as_ref(),
            name => self.others.get(name),
        }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        match name {
            "" => self.unnamed.as_mut(),
            name => self.others.get_mut(name),
        }
    }

    /// Is there one of that name, other than the unnamed one?
    pub fn is_taken(&self, name: &str) -> bool {
        !name.is_empty() && self.others.contains_key(name)
    }

    pub fn put(&mut self, name: &str, thing: T) {
        match name {
            "" => self.unnamed = Some(thing),
            name => {
                self.others.insert(name.to_string(), thing);
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> bool {
        match name {
            "" => self.unnamed.take().is_some(),
            name => self.others.remove(name).is_some(),
        }
    }

    pub fn clear(&mut self) {
        self.unnamed = None;
        self.others.clear();
    }

    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if self.unnamed.as_ref().is_some_and(|thing| !keep(thing)) {
            self.unnamed = None;
        }
        if !self.others.is_empty() {
            self.others.retain(|_, thing| keep(thing));
        }
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.unnamed.iter_mut().chain(self.others.values_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unnamed_one_is_replaced_and_kept_like_the_others() {
        let mut named = Named::default();
        for (name, value) in [("", 1), ("", 2), ("a", 3)] {
            named.put(name, value);
        }
        assert_eq!((named.get(""), named.get("a")), (Some(&2), Some(&3)));
        assert!(named.is_taken("a") && !named.is_taken("") && !named.is_taken("b"));
        named.retain(|value| *value > 2);
        assert_eq!((named.get(""), named.get("a")), (None, Some(&3)));
        assert!(named.remove("a") && !named.remove("a") && !named.remove(""));
    }
}
