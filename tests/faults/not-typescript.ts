// Fault: does-not-compile
// Something else was saved: a web page.
<!doctype html>
<html><body><h1>Hello</h1></body></html>
