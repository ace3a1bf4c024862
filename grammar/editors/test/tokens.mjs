// Evaluates a TextMate grammar's rules on a text, as editors do, with JavaScript's regular expressions. It knows what
// our grammar uses: match, begin/end, captures, include. Where npm's vscode-textmate is installed, the tests compare
// the two.

const regexes = new Map();

/** Tokens of each line: [{ text, scopes }]. */
export function tokenise(grammar, text) {
  const regex = (source) => {
    if (!regexes.has(source)) regexes.set(source, new RegExp(source, "dgu"));
    return regexes.get(source);
  };
  const resolve = (patterns) =>
    patterns.flatMap((rule) => {
      if (!rule.include) return rule.match || rule.begin ? [rule] : resolve(rule.patterns);
      const found = grammar.repository[rule.include.replace(/^#/, "")];
      if (!found) throw new Error(`nothing is called ${rule.include}`);
      return resolve([found]);
    });
  const stack = [{ patterns: resolve(grammar.patterns), scopes: [grammar.scopeName] }];
  return text.split("\n").map((line) => {
    const tokens = [];
    const add = (from, to, scopes) => {
      if (from < to) tokens.push({ text: line.slice(from, to), scopes });
    };
    const captured = (match, captures, scopes, whole) => {
      let at = match.index;
      for (const [number, { name }] of Object.entries(captures ?? {})) {
        const place = match.indices[number];
        if (!place || place[0] < at) continue;
        add(at, place[0], scopes);
        add(place[0], place[1], [...scopes, name]);
        at = place[1];
      }
      add(at, whole, scopes);
    };
    let at = 0;
    for (let rounds = 0; ; rounds++) {
      if (rounds > 10 * line.length + 100) throw new Error(`goes round in ${JSON.stringify(line)}`);
      const top = stack.at(-1);
      let best = null;
      const consider = (rule, source) => {
        const expression = regex(source);
        expression.lastIndex = at;
        const match = expression.exec(line);
        if (match && (!best || match.index < best.match.index)) best = { rule, match };
      };
      if (top.end) consider(null, top.end);
      for (const rule of top.patterns) consider(rule, rule.match ?? rule.begin);
      if (!best) break;
      const { rule, match } = best;
      const end = match.index + match[0].length;
      add(at, match.index, top.scopes);
      if (!rule) {
        captured(match, top.endCaptures, top.scopes, end);
        stack.pop();
      } else if (rule.match) {
        const scopes = rule.name ? [...top.scopes, rule.name] : top.scopes;
        captured(match, rule.captures, scopes, end);
        if (end === at) break;
      } else {
        const scopes = rule.name ? [...top.scopes, rule.name] : top.scopes;
        captured(match, rule.beginCaptures, scopes, end);
        stack.push({ end: rule.end, endCaptures: rule.endCaptures, patterns: resolve(rule.patterns ?? []), scopes });
      }
      at = end;
    }
    add(at, line.length, stack.at(-1).scopes);
    return tokens;
  });
}
