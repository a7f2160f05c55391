//! Answers of the cluster to what a screen asks, asked again while somebody looks.

use std::sync::Arc;

use super::app::{Action, Scene};
use crate::monitor::command::Command;
use crate::monitor::inquiry::{Findings, Query};

/// How old an answer may get while somebody looks at it.
const FRESH_MS: i64 = 3_000;

/// What was asked last, and when.
#[derive(Debug, Default)]
pub struct Asked {
    last: Option<(Query, i64)>,
}

/// What there is to show.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing yet.
    Waiting,
    /// The newest findings, and when they came.
    Found(i64, Arc<Findings>),
    /// Why there are none.
    Failed(String),
}

impl Asked {
    /// What is known of `query`; asks, if that is nothing or old.
    pub fn look(&mut self, scene: &Scene<'_>, query: &Query, actions: &mut Vec<Action>) -> Answer {
        self.look_every(FRESH_MS, scene, query, actions)
    }

    /// The same, of what may get `fresh_ms` old.
    pub fn look_every(&mut self, fresh_ms: i64, scene: &Scene<'_>, query: &Query, actions: &mut Vec<Action>) -> Answer {
        let now_ms = scene.model.now_ms();
        let known = scene.model.inquiry(query);
        let under_way = known.is_some_and(|known| known.under_way);
        let asked_ms = self.last.as_ref().filter(|(last, _)| last == query).map(|(_, at_ms)| *at_ms);
        // An answer that comes while the clock stands is not asked for again and again.
        if !under_way && asked_ms.is_none_or(|asked_ms| now_ms - asked_ms >= fresh_ms || now_ms < asked_ms) {
            self.last = Some((query.clone(), now_ms));
            actions.push(Action::Send(Command::Inquire(query.clone())));
        }
        match known.and_then(|known| known.answer.as_ref()) {
            None => Answer::Waiting,
            Some((at_ms, Ok(findings))) => Answer::Found(*at_ms, Arc::clone(findings)),
            Some((_, Err(why))) => Answer::Failed(why.clone()),
        }
    }

    /// What is known is old now.
    pub fn again(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::app::Options;
    use crate::ui::fixture;
    use crate::ui::model::Model;

    #[test]
    fn a_question_is_asked_when_its_answer_is_old_and_not_while_it_is_on_its_way() {
        let mut asked = Asked::default();
        let query = Query::Reassignments;
        let mut view = fixture::healthy();
        let mut look = |view: &crate::monitor::view::View| {
            let mut model = Model::default();
            model.update(view.clone());
            let options = Options::default();
            let scene = Scene::plain(&model, &options);
            let mut actions = Vec::new();
            let answer = asked.look(&scene, &query, &mut actions);
            (answer, actions.len())
        };
        assert_eq!(look(&view), (Answer::Waiting, 1));
        assert_eq!(look(&view), (Answer::Waiting, 0), "once");
        view.inquiries.ask(&query);
        Arc::make_mut(&mut view.series).at_ms.push_back(i64::MAX / 2);
        assert_eq!(look(&view), (Answer::Waiting, 0), "it is on its way");
        view.inquiries.answer(&query, 7, Err("No.".into()));
        assert_eq!(look(&view), (Answer::Failed("No.".into()), 1), "the last one is old");
        assert_eq!(look(&view), (Answer::Failed("No.".into()), 0));
    }
}
