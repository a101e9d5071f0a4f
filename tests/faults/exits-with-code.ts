// Fault: exited-before-listening
// process.exit(3) before listen.
process.exit(3);
