//! How well words fit a name: letters in their order, best where they begin words and stand together.

/// What somebody typed, in small letters and words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    words: Vec<String>,
}

/// A name that is all of the query.
const EXACT: i32 = 600;
const AT_START: i32 = 500;
const AT_WORD: i32 = 420;
const INSIDE: i32 = 260;
/// Letters apart from each other.
const SCATTERED: i32 = 160;
/// What each letter between them costs.
const GAP: i32 = 6;
/// Letters farther apart than this are chance.
const GAPS_MAX: i32 = 20;

impl Query {
    /// Of what was typed.
    pub fn new(typed: &str) -> Query {
        Query { words: typed.to_lowercase().split_whitespace().map(str::to_owned).collect() }
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How well all words fit a name in small letters; `None`: one does not.
    pub fn score(&self, name: &str) -> Option<i32> {
        let mut score = 0;
        for word in &self.words {
            score += fit(word, name)?.score;
        }
        if let [word] = self.words.as_slice()
            && word == name
        {
            score += EXACT;
        }
        // Of two that fit as well, the shorter says less that was not asked for.
        Some(score - (name.len() as i32 / 4).min(40))
    }

    /// Whether all words stand somewhere in a text in small letters.
    pub fn is_in(&self, text: &str) -> bool {
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Which bytes of a name in small letters fit, in order.
    pub fn marks(&self, name: &str) -> Vec<usize> {
        let fits = self.words.iter().filter_map(|word| fit(word, name));
        let mut marks: Vec<usize> = fits.flat_map(|fit| fit.marks(name)).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// The number at the end, and what stands before it: `orders-3` asks for partition 3 of what is called like orders.
    pub fn partition(&self) -> Option<(Query, i32)> {
        let (last, before) = self.words.split_last()?;
        let head = last.trim_end_matches(|c: char| c.is_ascii_digit());
        let partition = last[head.len()..].parse().ok()?;
        let head = head.trim_end_matches(['-', ':', '/', '#']);
        let mut words = before.to_vec();
        words.extend((!head.is_empty()).then(|| head.to_owned()));
        (!words.is_empty()).then_some((Query { words }, partition))
    }
}

struct Fit<'w> {
    score: i32,
    place: Place<'w>,
}

enum Place<'w> {
    Together(usize, usize),
    Apart(usize, &'w str),
}

impl Fit<'_> {
    fn marks(&self, name: &str) -> Vec<usize> {
        match self.place {
            Place::Together(at, len) => name[at..at + len].char_indices().map(|(index, _)| at + index).collect(),
            Place::Apart(from, word) => scattered(word, name, from).map_or_else(Vec::new, |found| found.0),
        }
    }
}

fn begins_word(name: &str, at: usize) -> bool {
    let mut chars = name[..at].chars();
    chars.next_back().is_none_or(|before| !before.is_alphanumeric())
}

fn fit<'w>(word: &'w str, name: &str) -> Option<Fit<'w>> {
    if let Some(first) = name.find(word) {
        let at = name.match_indices(word).map(|found| found.0).find(|at| begins_word(name, *at)).unwrap_or(first);
        let score = match at {
            0 => AT_START,
            _ if begins_word(name, at) => AT_WORD,
            _ => INSIDE,
        };
        return Some(Fit { score: score - (at as i32).min(40), place: Place::Together(at, word.len()) });
    }
    let first = word.chars().next()?;
    let starts = name.match_indices(first).map(|found| found.0).filter(|at| begins_word(name, *at));
    let best = starts.filter_map(|at| scattered(word, name, at).map(|(_, gaps)| (gaps, at))).min()?;
    let (gaps, at) = best;
    Some(Fit { score: SCATTERED - GAP * gaps, place: Place::Apart(at, word) })
}

/// The letters of a word in a name from there on, and how many are between them; a new word costs nothing.
fn scattered(word: &str, name: &str, from: usize) -> Option<(Vec<usize>, i32)> {
    let mut marks = Vec::with_capacity(word.len());
    let mut gaps = 0;
    let mut rest = name[from..].char_indices();
    for letter in word.chars() {
        let mut skipped = 0;
        let at = loop {
            let (index, found) = rest.next()?;
            if found == letter {
                break from + index;
            }
            skipped += 1;
        };
        if skipped > 0 && !begins_word(name, at) {
            gaps += skipped;
        }
        if gaps > GAPS_MAX {
            return None;
        }
        marks.push(at);
    }
    Some((marks, gaps))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordered(typed: &str, names: &[&str]) -> Vec<String> {
        let query = Query::new(typed);
        let mut found: Vec<(i32, String)> =
            names.iter().filter_map(|name| Some((query.score(&name.to_lowercase())?, (*name).to_owned()))).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn the_best_fit_comes_first() {
        for (typed, names, expected) in [
            (
                "orders",
                &["reorders", "orders-dlq", "orders", "x.orders"][..],
                &["orders", "orders-dlq", "x.orders", "reorders"][..],
            ),
            ("kill 2", &["Kill broker 1", "Kill broker 2", "Skill 2"], &["Kill broker 2", "Skill 2"]),
            ("gtt", &["Go to Topics", "Go to Metrics", "Get"], &["Go to Topics", "Go to Metrics"]),
            ("LAG", &["MaxOffsetLag", "lag"], &["lag", "MaxOffsetLag"]),
            ("", &["b"], &["b"]),
            ("zz", &["zebra"], &[]),
        ] {
            assert_eq!(ordered(typed, names), expected, "{typed}");
        }
    }

    #[test]
    fn a_number_at_the_end_asks_for_a_partition() {
        let asked =
            |typed: &str| Query::new(typed).partition().map(|(query, partition)| (query.words.join(" "), partition));
        for (typed, expected) in [
            ("orders-3", Some(("orders", 3))),
            ("Orders 12", Some(("orders", 12))),
            ("a b:7", Some(("a b", 7))),
            ("orders3", Some(("orders", 3))),
            ("3", None),
            ("-3", None),
            ("orders", None),
            ("orders-99999999999", None),
        ] {
            assert_eq!(
                asked(typed),
                expected.map(|(words, partition): (&str, i32)| (words.to_owned(), partition)),
                "{typed}"
            );
        }
    }

    #[test]
    fn what_fits_is_marked() {
        assert_eq!(Query::new("kb2").marks("kill broker 2"), [0, 5, 12]);
        assert_eq!(Query::new("broker kill").marks("kill broker 2"), [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]);
        assert_eq!(Query::new("ö").marks("größe"), [2]);
    }

    proptest! {
        #[test]
        fn marks_stand_on_letters_of_the_name_and_only_where_it_fits(typed in "[a-cö ]{0,6}", name in "[a-cö .-]{0,16}") {
            let query = Query::new(&typed);
            for at in query.marks(&name) {
                prop_assert!(name.is_char_boundary(at) && at < name.len());
            }
            if query.score(&name).is_some() {
                for word in &query.words {
                    // Its letters are there in their order.
                    let mut rest = name.chars();
                    prop_assert!(word.chars().all(|letter| rest.any(|found| found == letter)));
                }
            }
        }
    }
}
