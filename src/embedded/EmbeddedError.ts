/**
 * What can keep the embedded Postgres from serving, one reason per remedy.
 *
 * None of the reasons is worth an immediate retry: each needs something changed on the machine, and its message says what.
 */
import * as Schema from "effect/Schema"

/** No Postgres binaries can be run on this platform; trying again does not help. */
export class NoBinaries extends Schema.TaggedError<NoBinaries>("makegood/embedded/NoBinaries")("NoBinaries", {
  platform: Schema.String,
  packageName: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `There are no Postgres binaries for ${this.platform}: ${this.detail}. Nothing was started. ` +
      `Install ${this.packageName}, or run a Postgres of your own and set DATABASE_URL.`
    )
  }
}

/** Another live process uses the directory; trying again helps once that process has ended. */
export class DirectoryInUse extends Schema.TaggedError<DirectoryInUse>("makegood/embedded/DirectoryInUse")(
  "DirectoryInUse",
  { directory: Schema.String, pid: Schema.Int }
) {
  override get message(): string {
    return (
      `The embedded Postgres in ${this.directory} is in use by the live process ${this.pid}. ` +
      `It was left alone and nothing was started. Stop that process, or use another directory, ` +
      `or connect to its server instead of starting one.`
    )
  }
}

/** The directory, or one above it, cannot be used by the account that Postgres runs as; trying again does not help. */
export class DirectoryUnreachable extends Schema.TaggedError<DirectoryUnreachable>(
  "makegood/embedded/DirectoryUnreachable"
)("DirectoryUnreachable", { directory: Schema.String, path: Schema.String, detail: Schema.String }) {
  override get message(): string {
    return (
      `The directory ${this.directory} cannot hold the embedded Postgres, because of ${this.path}: ${this.detail}. ` +
      `Nothing was started. Choose a directory outside of it, change its permissions, or do not run as root.`
    )
  }
}

/** The data were written by another major version of Postgres; trying again does not help. */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>("makegood/embedded/VersionMismatch")(
  "VersionMismatch",
  { directory: Schema.String, found: Schema.String, expected: Schema.String }
) {
  override get message(): string {
    return (
      `The data in ${this.directory} belong to Postgres ${this.found}, but the binaries are Postgres ` +
      `${this.expected}. The data were not touched. Install the binaries of version ${this.found}, move the data ` +
      `with pg_dump or pg_upgrade, or use another directory.`
    )
  }
}

/** The data directory could not be made; trying again may help once its cause, often a full disk, is gone. */
export class InitFailed extends Schema.TaggedError<InitFailed>("makegood/embedded/InitFailed")("InitFailed", {
  directory: Schema.String,
  output: Schema.String
}) {
  override get message(): string {
    return (
      `Postgres could not make its data directory in ${this.directory}. What was made by halves is removed at ` +
      `the next start. Look at what initdb said:\n${this.output}`
    )
  }
}

/** Postgres did not come up; trying again may help once its cause, often a taken port, is gone. */
export class StartFailed extends Schema.TaggedError<StartFailed>("makegood/embedded/StartFailed")("StartFailed", {
  directory: Schema.String,
  detail: Schema.String,
  log: Schema.String
}) {
  override get message(): string {
    return (
      `The embedded Postgres in ${this.directory} did not start: ${this.detail}. It was stopped and its data were ` +
      `left as they are. Look at the end of its log:\n${this.log}`
    )
  }
}

/** Every reason an `EmbeddedError` can carry. */
export const EmbeddedErrorReason = Schema.Union([
  NoBinaries,
  DirectoryInUse,
  DirectoryUnreachable,
  VersionMismatch,
  InitFailed,
  StartFailed
])

/** Every reason an `EmbeddedError` can carry, as a type. */
export type EmbeddedErrorReason = typeof EmbeddedErrorReason.Type

/** The embedded Postgres cannot serve; `reason` says why and what to do. */
export class EmbeddedError extends Schema.TaggedError<EmbeddedError>("makegood/embedded/EmbeddedError")(
  "EmbeddedError",
  { reason: EmbeddedErrorReason }
) {
  override get message(): string {
    return this.reason.message
  }
}
