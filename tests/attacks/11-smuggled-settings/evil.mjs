console.log('LOOT: evil.mjs was loaded');
export const evil = true;
