/** A scratch copy of the project as a learner has it on arriving at a lesson; what runs in it touches nothing else. */
import { cpSync, existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';
import { allLessons, projectRoot, solutionsDir } from '../kernel/course.ts';
import { scratchFolder } from '../kernel/leftovers.ts';
import { cleanSolution, solutionSource, stubOf } from '../kernel/stub.ts';

/** What no command of a README needs; the catalogue's programs are many. */
const leftOut =
  /^(?:(?:.*\/)?node_modules|\.git|\.workbook|coverage|tests\/(?:wrong|valid|golden|attacks))$/;

export class Sandbox {
  readonly root: string;
  /** A home folder of its own: no configuration of the user's plays a part. */
  readonly home: string;

  private constructor(root: string) {
    this.root = join(root, basename(projectRoot));
    this.home = join(root, 'home');
  }

  /**
   * @param arrivedAt the lesson's number: those before it are done, it and those after are stubs; 0 for a fresh clone
   */
  static async create(arrivedAt: number): Promise<Sandbox> {
    const sandbox = new Sandbox(scratchFolder(tmpdir(), 'workbook-verify'));
    await mkdir(sandbox.home);
    // One file after another: that takes a third of the time.
    cpSync(projectRoot, sandbox.root, {
      recursive: true,
      filter: (source) => !leftOut.test(relative(projectRoot, source).replaceAll(sep, '/')),
    });
    await symlink(
      join(projectRoot, 'node_modules'),
      join(sandbox.root, 'node_modules'),
      'junction',
    );
    for (const lesson of allLessons()) {
      for (const file of lesson.edits) {
        if (!existsSync(join(solutionsDir, lesson.name, file))) continue; // Still being written.
        const text =
          lesson.number < arrivedAt
            ? cleanSolution(solutionSource(lesson, file))
            : stubOf(lesson, file);
        await writeFile(join(sandbox.root, 'lessons', lesson.name, file), text);
      }
    }
    return sandbox;
  }

  /** A path's name inside the sandbox, where outputs would differ from machine to machine. */
  withoutPaths(output: string): string {
    return output
      .replaceAll(`${this.root}/`, '…/')
      .replaceAll(this.root, '…')
      .replaceAll(this.home, '~');
  }

  async remove(): Promise<void> {
    await rm(join(this.root, '..'), {
      recursive: true,
      force: true,
      maxRetries: 5,
      retryDelay: 50,
    });
  }
}
