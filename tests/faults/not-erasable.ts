// Fault: does-not-compile
// An enum, which type stripping can not erase.
enum Colour { Red, Green
console.log(Colour.Red);
