// tests.ts — what the architecture test demands of tests, and how it reads their names.

import ts from 'typescript';
import { parse, walk, type Rule, type Source } from './source.ts';

type TestName = { chain: string[]; isTest: boolean };

/** Full names of the tests of a file, `describe > test`, for those whose names are written out. */
export function testNames(source: Source): string[] {
  return namedCalls(source)
    .filter((each) => each.isTest)
    .map((each) => each.chain.join(' > '));
}

function namedCalls(source: Source): TestName[] {
  const found: TestName[] = [];
  const visit = (node: ts.Node, outer: string[]): void => {
    const call = ts.isCallExpression(node) ? calledAs(node) : undefined;
    const name = call && ts.isCallExpression(node) ? nameOf(node.arguments[0]) : undefined;
    const chain = name === undefined ? outer : [...outer, name];
    if (call && name !== undefined) found.push({ chain, isTest: call !== 'describe' });
    ts.forEachChild(node, (child) => visit(child, chain));
  };
  visit(parse(source), []);
  return found;
}

/** `test`, `it` or `describe`, also behind .each(…), .skipIf(…), .for(…) and their like. */
function calledAs(node: ts.CallExpression): string | undefined {
  const head = /^(test|it|describe)\b/.exec(node.expression.getText())?.[1];
  return head && ts.isCallExpression(node) && node.arguments.length > 1 ? head : undefined;
}

function nameOf(node: ts.Expression | undefined): string | undefined {
  if (node && ts.isStringLiteralLike(node)) return node.text;
  return node && ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
}

/** Two tests of one name cannot be told apart when one of them turns red. */
export const testNamesAreUnique: Rule = (source) => {
  const names = testNames(source);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [...new Set(twice)].map((name) => `has two tests named "${name}".`);
};

/** `only` hides all other tests, an unconditional skip hides one; .skipIf tells its condition and is welcome. */
export const nothingIsHidden: Rule = (source) => {
  const faults: string[] = [];
  walk(parse(source), (node) => {
    if (!ts.isPropertyAccessExpression(node)) return;
    if (/^(test|it|describe|suite)\b.*\.(only|skip|todo|fails)$/s.test(node.getText()) && !node.getText().includes('('))
      faults.push(`uses ${node.getText()}; no test is hidden without a condition.`);
  });
  return faults;
};
