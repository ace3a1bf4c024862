//! The picture is complete: nothing of the program is missing, nothing is there twice.

use std::collections::{BTreeMap, HashSet};

use super::{Graph, NodeKind, dot, json, mermaid};
use crate::flow::lower::tests::{flow, shop};
use crate::flow::program::{Jump, Op, Program, StateKind};

/// Instructions that leave their step.
fn transitions(program: &Program) -> HashSet<u32> {
    let leaves = |op: &Op| match op {
        Op::Jump(Jump::To(_)) => false,
        Op::Jump(_)
        | Op::Call(_)
        | Op::Return { .. }
        | Op::Handoff(_)
        | Op::Close { .. }
        | Op::Resume
        | Op::Plan(_) => true,
        Op::Send(_)
        | Op::Set { .. }
        | Op::Mem { .. }
        | Op::JumpIf { .. }
        | Op::Ask(_)
        | Op::Effect(_)
        | Op::Answer(_)
        | Op::Emit(_)
        | Op::ForEach { .. }
        | Op::Cancel { .. }
        | Op::Split { .. }
        | Op::Pause { .. }
        | Op::Wait => false,
    };
    // Behind a question whose every option leads elsewhere there is an end that nobody reaches.
    let unreached: HashSet<u32> = program
        .states
        .iter()
        .filter_map(|state| match &state.kind {
            StateKind::Question(question) => Some(question),
            StateKind::Fetch(_) | StateKind::Call(_) | StateKind::Human(_) | StateKind::Answer(_) => None,
        })
        .filter(|question| question.accept.is_empty() && question.options.iter().all(|o| o.run.is_some()))
        .map(|question| question.next)
        .collect();
    (0..)
        .zip(&program.code)
        .filter(|(pc, instruction)| leaves(&instruction.op) && !unreached.contains(pc))
        .map(|(pc, _)| pc)
        .collect()
}

#[test]
fn every_step_and_every_transition_is_drawn_once() {
    let program = shop();
    let graph = Graph::of(&program, None);

    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let nodes: Vec<_> = graph.groups.iter().flat_map(|group| &group.nodes).collect();
    for node in nodes.iter().filter(|node| node.kind == NodeKind::Step) {
        *steps.entry(&node.name).or_default() += 1;
    }
    assert_eq!(steps.len(), program.steps.len());
    assert!(steps.values().all(|times| *times == 1));

    let drawn: HashSet<u32> = graph.edges.iter().map(|edge| edge.at).collect();
    assert_eq!(drawn.len(), graph.edges.len(), "an instruction is drawn twice");
    assert_eq!(drawn, transitions(&program));

    let names: HashSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names.len(), nodes.len());
    assert!(
        graph
            .edges
            .iter()
            .all(|e| names.contains(e.from.as_str()) && names.contains(e.to.as_str()))
    );
}

#[test]
fn every_format_has_every_arrow() {
    let program = shop();
    let graph = Graph::of(&program, None);
    let mermaid = mermaid(&program, None);
    let arrows = mermaid.matches("-->").count() + mermaid.matches("-.->").count();
    assert_eq!(arrows, graph.edges.len());
    assert_eq!(dot(&program, None).matches("\" -> \"").count(), graph.edges.len());
    let json: serde_json::Value = serde_json::from_str(&json(&program, None)).expect("JSON");
    assert_eq!(json["edges"].as_array().map(Vec::len), Some(graph.edges.len()));
}

#[test]
fn one_flow_is_drawn_with_what_it_leads_to() {
    let program = shop();
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("order_tracking.mmd", mermaid(&program, Some("order_tracking")));
        insta::assert_snapshot!("support.dot", dot(&program, Some("support")));
    });
    assert_eq!(Graph::of(&program, Some("no_such_flow")), Graph::default());
}

#[test]
fn where_ways_meet_only_what_they_share_is_said() {
    let program = flow(
        r#"flow meet
starts on "go"
step one
  menu "Which?"
    "Bad"
      if chat.a is 1
        say "a"
      else
        say "b"
      end
      -> two
    "Good"
  end
  done

step two
  close
"#,
    );
    let graph = Graph::of(&program, Some("meet"));
    let labels: Vec<(&str, &str)> = graph
        .edges
        .iter()
        .map(|e| (e.to.as_str(), e.label.as_str()))
        .collect();
    assert_eq!(
        labels,
        [("meet/two", "Bad"), ("meet/(done)", "Good"), ("meet/(close)", "")]
    );
}
