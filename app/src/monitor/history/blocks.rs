//! A long list that grows at one end and is shared with readers: a reader's copy costs some counts of references, and so does what is added
//! while somebody holds one.

use std::collections::VecDeque;
use std::sync::Arc;

/// Items of a block.
const BLOCK: usize = 512;

/// See the module. A clone is the list as it is now.
#[derive(Clone, Debug)]
pub struct Blocks<T> {
    blocks: Arc<VecDeque<Arc<Vec<T>>>>,
    len: usize,
}

impl<T> Default for Blocks<T> {
    fn default() -> Blocks<T> {
        Blocks { blocks: Arc::default(), len: 0 }
    }
}

impl<T: Clone> Blocks<T> {
    /// Adds an item; beyond `most`, a block of the oldest goes.
    pub fn push(&mut self, item: T, most: usize) {
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.back().is_none_or(|block| block.len() >= BLOCK) {
            blocks.push_back(Arc::new(Vec::with_capacity(BLOCK)));
        }
        if let Some(block) = blocks.back_mut() {
            Arc::make_mut(block).push(item);
        }
        self.len += 1;
        if self.len > most.max(BLOCK)
            && let Some(gone) = blocks.pop_front()
        {
            self.len -= gone.len();
        }
    }

    /// Drops blocks from the front while their last item is one to be dropped.
    pub fn drop_while(&mut self, is_over: impl Fn(&T) -> bool) {
        while self.blocks.front().and_then(|block| block.last()).is_some_and(&is_over) {
            if let Some(gone) = Arc::make_mut(&mut self.blocks).pop_front() {
                self.len -= gone.len();
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// The newest.
    pub fn last(&self) -> Option<&T> {
        self.blocks.back().and_then(|block| block.last())
    }
}

impl<T: Clone> FromIterator<T> for Blocks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Blocks<T> {
        let mut blocks = Blocks::default();
        items.into_iter().for_each(|item| blocks.push(item, usize::MAX));
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_readers_keep_what_they_took() {
        let mut blocks: Blocks<usize> = (0..1_000).collect();
        let taken = blocks.clone();
        (1_000..3_000).for_each(|item| blocks.push(item, 1_500));
        assert!(blocks.len() <= 1_500 && blocks.len() > 1_500 - BLOCK);
        assert_eq!(blocks.iter().count(), blocks.len());
        assert_eq!((blocks.last(), blocks.iter().next_back()), (Some(&2_999), Some(&2_999)));
        assert_eq!((taken.len(), taken.last()), (1_000, Some(&999)));
        blocks.drop_while(|item| *item < 2_500);
        assert!(*blocks.iter().next().unwrap() >= 2_048 && !blocks.is_empty());
    }
}
