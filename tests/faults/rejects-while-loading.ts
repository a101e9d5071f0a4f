// Fault: threw-while-loading
// A promise that nobody waits for is rejected before it listens.
const connect = async (): Promise<void> => {
  throw new Error('the database is not there');
};
void connect();
await new Promise((resolve) => setTimeout(resolve, 500));
