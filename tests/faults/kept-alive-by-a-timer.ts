// Fault: never-listened
// A timer keeps it alive, nothing listens.
setInterval(() => {}, 1000);
