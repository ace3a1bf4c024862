//! The picture is complete: nothing of the program is missing, nothing is there twice.

use std::collections::{BTreeMap, HashSet};

use super::{Covered, Graph, NodeKind, dot, json, mermaid};
use crate::flow::lower::tests::{flow, shop};
use crate::flow::program::{Program, StateKind};

/// Instructions that leave their step.
fn transitions(program: &Program) -> HashSet<u32> {
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
        .filter(|(pc, instruction)| instruction.op.is_a_way() && !unreached.contains(pc))
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

/// Left and right; tests have gone left, and no other way.
const TWO_WAYS: &str = r#"flow two
starts on "go"
step one
  menu "Which?"
    "Left" -> left
    "Right" -> done
    otherwise "Please tap." up to 2 times, then -> close
    no reply in 10 minutes -> close
  end

step left
  done
"#;

fn covered(program: &Program) -> Graph {
    let mut graph = Graph::of(program, Some("two"));
    let left = graph
        .edges
        .iter()
        .find(|edge| edge.label == "Left")
        .map(|edge| edge.at);
    let steps = [("two/one", true, 1, 4), ("two/left", true, 0, 0)];
    let steps: BTreeMap<String, Covered> = steps
        .map(|(step, entered, taken, all)| (step.to_owned(), Covered { entered, taken, all }))
        .into();
    graph.cover(&steps, &left.into_iter().collect());
    graph
}

#[test]
fn each_arrow_of_a_picture_of_coverage_says_whether_a_test_went_there() {
    let program = flow(TWO_WAYS);
    let graph = covered(&program);
    let taken: Vec<(&str, Option<bool>)> = graph
        .edges
        .iter()
        .filter(|edge| edge.from == "two/one")
        .map(|edge| (edge.label.as_str(), edge.taken))
        .collect();
    let ways = ["Left", "Right", "otherwise ×2", "⏱ 10 minutes"];
    assert_eq!(taken, ways.map(|way| (way, Some(way == "Left"))));

    let dot = graph.dot();
    let arrow = |label: &str| {
        let line = dot
            .lines()
            .find(|line| line.contains(&format!("[label=\"{label}\"")));
        line.unwrap_or_default().to_owned()
    };
    assert!(arrow("Left").ends_with("[label=\"Left\", color=\"#2e7d32\", fontcolor=\"#2e7d32\"];"));
    assert!(
        arrow("Right")
            .ends_with("[label=\"Right\", style=dashed, color=\"#b71c1c\", fontcolor=\"#b71c1c\"];")
    );
    for words in [
        "label=\"What conversation tests take\"",
        "label=\"taken\", color=\"#2e7d32\"",
        "label=\"never taken\", style=dashed",
    ] {
        assert!(dot.contains(words), "{words} is not in\n{dot}");
    }

    let mermaid = graph.mermaid();
    let arrows: Vec<&str> = mermaid
        .lines()
        .filter(|line| line.contains("-->") || line.contains("-.->"))
        .collect();
    let styled = |style: &str| -> Vec<usize> {
        let line = mermaid
            .lines()
            .find(|line| line.starts_with("  linkStyle ") && line.contains(style));
        let places = line.and_then(|line| line.split(' ').nth(3)).unwrap_or_default();
        places.split(',').filter_map(|at| at.parse().ok()).collect()
    };
    let labels = |places: &[usize]| -> String { places.iter().map(|at| arrows[*at]).collect() };
    let (green, red) = (
        styled("stroke:#2e7d32"),
        styled("stroke:#b71c1c,color:#b71c1c,stroke-dasharray"),
    );
    assert_eq!(green.len() + red.len(), arrows.len());
    assert_eq!(green.len(), 2, "the way to the left, and the legend's\n{mermaid}");
    assert!(labels(&green).contains("Left") && labels(&green).contains("|\"taken\"|"));
    assert!(labels(&red).contains("⏱ 10 minutes") && labels(&red).contains("|\"never taken\"|"));
    assert!(mermaid.contains("subgraph legend[\"What conversation tests take\"]"));
}

#[test]
fn a_picture_that_is_none_of_coverage_has_no_legend_and_no_colours() {
    let program = flow(TWO_WAYS);
    for drawn in [dot(&program, None), mermaid(&program, None), json(&program, None)] {
        for word in ["legend", "color", "linkStyle", "taken"] {
            assert!(!drawn.contains(word), "{word} is in\n{drawn}");
        }
    }
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
