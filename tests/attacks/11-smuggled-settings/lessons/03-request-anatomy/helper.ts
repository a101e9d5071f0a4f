export const helped = 'LOOT: a file that no learner edits was taken';
