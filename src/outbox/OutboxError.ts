/** What can go wrong between the engine and its record. */
import { Schema } from "effect"

/** The database could not be reached, or did not answer in time. Whether a write happened is not known. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", { cause: Schema.Defect() }) {
  readonly retryable = true
  override get message() {
    return "The outbox cannot be reached. Nothing new is called until it can. Check the database and its connection settings."
  }
}

/** The tables of the outbox are not there, or are of another version than this program's. */
export class NotMigrated extends Schema.TaggedError<NotMigrated>()("NotMigrated", {
  /** The newest migration found; absent where the schema is not there at all. */
  found: Schema.optionalKey(Schema.Int),
  needed: Schema.Int
}) {
  readonly retryable = false
  override get message() {
    return this.found === undefined
      ? "The database has no schema makegood. Nothing was done. Provide Postgres.layerMigrations, or run it once."
      : `The schema makegood is at migration ${this.found}, this program needs ${this.needed}. Nothing was done. ` +
          (this.found < this.needed ? "Run the migrations." : "Use a newer version of makegood.")
  }
}

/** The database is set up so that the guarantees would not hold. */
export class UnsafeSettings extends Schema.TaggedError<UnsafeSettings>()("UnsafeSettings", {
  setting: Schema.String,
  value: Schema.String,
  needed: Schema.String
}) {
  readonly retryable = false
  override get message() {
    return (
      `The database has ${this.setting} = ${this.value}, and then what was acknowledged could be lost. ` +
      `Nothing was started. Set ${this.setting} to ${this.needed} for this role or database.`
    )
  }
}

/** The caller is in a transaction of another client than the outbox's, so that both-or-neither cannot be promised. */
export class ForeignTransaction extends Schema.TaggedError<ForeignTransaction>()("ForeignTransaction", {}) {
  readonly retryable = false
  override get message() {
    return (
      "The caller is in a transaction of another SQL client than the outbox's. Nothing was written. " +
      "Use the client that Postgres.layer was given, or leave the transaction first."
    )
  }
}

/** The database refused the values sent; trying again does not help. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { cause: Schema.Defect() }) {
  readonly retryable = false
  override get message() {
    const said = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `The outbox refused what it was sent: ${said}. Nothing was written. Change what is sent; trying again does not help.`
  }
}

/** An error of the outbox; `reason` says which, and `reason.retryable` whether trying again can help. */
export class OutboxError extends Schema.TaggedError<OutboxError>()("OutboxError", {
  reason: Schema.Union([Unavailable, NotMigrated, UnsafeSettings, ForeignTransaction, Refused])
}) {
  override get message() {
    return this.reason.message
  }
}
