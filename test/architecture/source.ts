// source.ts — reads our own source for the architecture test: which files there are, what they import, which tests they hold.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '../..');

/** A file of the repository: path from the root with `/`, and what is in it. A rule sees nothing else. */
export type Source = { path: string; text: string };

/** A rule looks at one file and says what is wrong with it, a sentence each; the path is put before it by the caller. */
export type Rule = (source: Source) => string[];

export type Import = { specifier: string; typesOnly: boolean; dynamic: boolean };

export function sourcesIn(...patterns: string[]): Source[] {
  return globSync(patterns, { cwd: root, exclude: ['**/node_modules/**', 'web/dist/**'] })
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** Applies a rule to many files: one line for each fault, beginning with the path. */
export function faultsIn(sources: Source[], rule: Rule): string[] {
  return sources.flatMap((source) => rule(source).map((fault) => `${source.path}: ${fault}`));
}

export function parse({ path, text }: Source): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

/** Calls `visit` for each node of the file, from the outside in. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** All imports of a file: static, re-exports, dynamic ones with a literal name, `import('…')` types. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  walk(parse(source), (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
      found.push({ specifier: literal(node.moduleSpecifier), typesOnly: isTypesOnly(node), dynamic: false });
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0])
      found.push({ specifier: literal(node.arguments[0]), typesOnly: false, dynamic: true });
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      found.push({ specifier: literal(node.argument.literal), typesOnly: true, dynamic: false });
  });
  return found;
}

function isTypesOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  return Boolean(
    !clause.name &&
    names &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((each) => each.isTypeOnly),
  );
}

const literal = (node: ts.Node) => (ts.isStringLiteralLike(node) ? node.text : '');

/** Path from the root of what a relative import names; undefined for packages. */
export function targetOf(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)).replaceAll('\\', '/') : undefined;
}
