console.log('LOOT: a package of the submission was loaded');
export const evil = true;
