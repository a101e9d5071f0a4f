/** What can go wrong: in the learner's program (a failure, which is data) or around it (an error). */
import type { Exchange } from './exchange.ts';

/** Why a step failed. Every string is meant for the learner. */
export interface Failure {
  /** A stable kebab-case id. */
  diagnosis: string;
  /** One or two plain sentences that name the cause. */
  message: string;
  expected?: string | undefined;
  actual?: string | undefined;
  exchange?: Exchange | undefined;
  /** The exchanges of the same step that came before it, in order. */
  before?: Exchange[] | undefined;
}

/** Thrown by a step's checks; the judge turns it into the step's verdict. */
export class StepFailure extends Error {
  override name = 'StepFailure';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Thrown when the program as a whole is at fault: no step can be judged. */
export class ProgramFault extends Error {
  override name = 'ProgramFault';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The command was used wrongly, or something outside the learner's code failed. One sentence, exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
