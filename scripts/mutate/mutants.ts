/** Small changes to a program, each of which a test should notice. */
import ts from 'typescript';

export interface Mutant {
  /** Where, as a line number from 1. */
  line: number;
  /** The changed part before and after, on one line. It names the mutant, wherever the line moves. */
  name: string;
  text: string;
}

const opposites = new Map<ts.SyntaxKind, string[]>([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, ['!==']],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, ['===']],
  [ts.SyntaxKind.LessThanToken, ['<=', '>=']],
  [ts.SyntaxKind.LessThanEqualsToken, ['<', '>']],
  [ts.SyntaxKind.GreaterThanToken, ['>=', '<=']],
  [ts.SyntaxKind.GreaterThanEqualsToken, ['>', '<']],
  [ts.SyntaxKind.AmpersandAmpersandToken, ['||']],
  [ts.SyntaxKind.BarBarToken, ['&&']],
  [ts.SyntaxKind.QuestionQuestionToken, ['&&']],
  [ts.SyntaxKind.PlusToken, ['-']],
  [ts.SyntaxKind.MinusToken, ['+']],
  [ts.SyntaxKind.AsteriskToken, ['/']],
  [ts.SyntaxKind.SlashToken, ['*']],
  [ts.SyntaxKind.PlusEqualsToken, ['-=']],
  [ts.SyntaxKind.MinusEqualsToken, ['+=']],
]);

const squeeze = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Every mutant of a program. Types, imports and what is printed only for people (`console.error`) are left alone. */
export function mutantsOf(source: string): Mutant[] {
  const file = ts.createSourceFile('program.ts', source, ts.ScriptTarget.ES2023, true);
  const mutants: Mutant[] = [];
  const add = (node: ts.Node, replacement: string): void => {
    const start = node.getStart(file);
    const text = source.slice(0, start) + replacement + source.slice(node.getEnd());
    const name = `${squeeze(lineAround(node))} | ${squeeze(node.getText(file)).slice(0, 60)} → ${replacement || '(removed)'}`;
    mutants.push({ line: file.getLineAndCharacterOfPosition(start).line + 1, name, text });
  };
  const lineAround = (node: ts.Node): string => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
    return source.split('\n')[line] ?? '';
  };
  const forPeople = (node: ts.Node): boolean => /^console\.(error|warn)\b/.test(node.getText(file));

  const visit = (node: ts.Node): void => {
    if (
      ts.isTypeNode(node) ||
      ts.isImportDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node)
    )
      return;
    if (ts.isExpressionStatement(node)) {
      if (forPeople(node)) return;
      add(node, '');
    } else if (
      ts.isReturnStatement(node) &&
      node.expression &&
      !ts.isParenthesizedExpression(node.parent)
    ) {
      // `return answer(…);` without the return: the code runs on.
      if (ts.isCallExpression(node.expression)) add(node, `${node.expression.getText(file)};`);
    } else if (ts.isBinaryExpression(node)) {
      for (const opposite of opposites.get(node.operatorToken.kind) ?? [])
        add(node.operatorToken, opposite);
    } else if (
      ts.isPrefixUnaryExpression(node) &&
      node.operator === ts.SyntaxKind.ExclamationToken
    ) {
      add(node, node.operand.getText(file));
    } else if (ts.isIfStatement(node)) {
      add(node.expression, 'true');
      add(node.expression, 'false');
    } else if (ts.isConditionalExpression(node)) {
      add(node.condition, 'true');
      add(node.condition, 'false');
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) add(node, 'false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) add(node, 'true');
    else if (ts.isNumericLiteral(node))
      add(node, String(Number(node.text.replaceAll('_', '')) + 1));
    else if (ts.isStringLiteral(node)) add(node, node.text === '' ? "'mutant'" : "''");
    else if (ts.isNoSubstitutionTemplateLiteral(node)) add(node, '``');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return mutants;
}
