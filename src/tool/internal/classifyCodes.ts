/**
 * Classes of failures by their code: Node's system errors, undici, TLS, SQLSTATE.
 *
 * `transient` stands only where the act certainly did not happen: no connection was made, or the operating system or
 * the database refused before doing anything. What is in no table is in doubt.
 */
import type { FailureClass, Tag } from "../Failure.ts"
import { readString } from "./classifyRead.ts"

const blocked = (why: string): FailureClass => ({ _tag: "blocked", why })

const plain = (
  tag: Exclude<Tag, "blocked" | "rateLimited">,
  codes: string
): ReadonlyArray<readonly [string, FailureClass]> => codes.split(" ").map((code) => [code, { _tag: tag }])

const codes: ReadonlyMap<string, FailureClass> = new Map<string, FailureClass>([
  // No address, or nobody listening there: nothing was sent.
  ...plain("transient", "ECONNREFUSED ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA EADDRNOTAVAIL ETIMEOUT ESERVFAIL"),
  // Too many open, or in use: nothing was begun.
  ...plain("transient", "EMFILE ENFILE EBUSY EAGAIN EWOULDBLOCK ETXTBSY SQLITE_BUSY SQLITE_LOCKED"),
  // undici: the connection, or the proxy before the target, was not reached.
  ...plain("transient", "UND_ERR_CONNECT_TIMEOUT UND_ERR_PRX_CONN UND_ERR_PRX_TLS"),
  // After sending, or at a moment not known.
  ...plain("inDoubt", "ECONNRESET ECONNABORTED EPIPE ESOCKETTIMEDOUT EPROTO EIO EINTR ERR_STREAM_PREMATURE_CLOSE"),
  ...plain("inDoubt", "UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT UND_ERR_SOCKET UND_ERR_ABORT UND_ERR_ABORTED"),
  ...plain("inDoubt", "UND_ERR_DESTROYED UND_ERR_CLOSED UND_ERR_INFO UND_ERR_REQ_RETRY UND_ERR_RES_EXCEEDED_MAX_SIZE"),
  ...plain(
    "inDoubt",
    "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH UND_ERR_RES_CONTENT_LENGTH_MISMATCH UND_ERR_HEADERS_OVERFLOW"
  ),
  // The same parameters will always be refused.
  ...plain("permanent", "ENOENT EEXIST EISDIR ENOTDIR ENOTEMPTY ENAMETOOLONG ELOOP EINVAL EXDEV EBADF"),
  ...plain("permanent", "ERR_INVALID_URL ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ERR_OUT_OF_RANGE"),
  ...plain(
    "permanent",
    "ERR_INVALID_PROTOCOL ERR_INVALID_CHAR ERR_INVALID_HTTP_TOKEN UND_ERR_INVALID_ARG UND_ERR_NOT_SUPPORTED"
  ),
  ["ENOSPC", blocked("no space is left on the device")],
  ["EDQUOT", blocked("the disk quota is used up")],
  ["EACCES", blocked("permission was denied")],
  ["EPERM", blocked("the operation is not permitted")],
  ["EROFS", blocked("the file system is read-only")],
  ["SQLITE_FULL", blocked("no space is left for the database")],
  ["SQLITE_READONLY", blocked("the database is read-only")],
  // The handshake failed before anything was sent, and will until somebody sees to the certificate.
  ...(
    "CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REVOKED CERT_UNTRUSTED CERT_REJECTED DEPTH_ZERO_SELF_SIGNED_CERT " +
    "SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY " +
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE ERR_TLS_CERT_ALTNAME_INVALID"
  )
    .split(" ")
    .map((code) => [code, blocked("the target's certificate is not valid")] as const)
])

/** Said while connecting they mean that nothing was sent; said while reading or writing, that nobody knows. */
const certainOnlyWhileConnecting = new Set(["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ETIMEDOUT"])

/** The class by the error's `code`, where that is one of the tables above. */
export const byCode = (failure: unknown): FailureClass | undefined => {
  const code = readString(failure, "code")
  if (code === undefined) return undefined
  if (certainOnlyWhileConnecting.has(code)) {
    const syscall = readString(failure, "syscall")
    const connecting = syscall === "connect" || (syscall === undefined && code !== "ETIMEDOUT")
    return { _tag: connecting ? "transient" : "inDoubt" }
  }
  return codes.get(code) ?? (readString(failure, "severity") === undefined ? undefined : bySqlState(code))
}

const sqlStates: ReadonlyMap<string, FailureClass> = new Map<string, FailureClass>([
  // Refused while connecting, or the transaction was rolled back by the server itself.
  ...plain(
    "transient",
    "08001 08004 25006 25P03 40001 40002 40P01 53000 53200 53300 53400 55006 55P03 57014 57P03 57P05"
  ),
  // The server or the connection went away: a commit may have been under way.
  ...plain("inDoubt", "08000 08003 08006 08007 08P01 26000 40003 57P01 57P02 57P04"),
  ["3D000", blocked("the database does not exist")],
  ["42501", blocked("permission was denied")],
  ["53100", blocked("no space is left for the database")]
])

/** Classes of SQLSTATE: the statement as it is will always be refused. */
const permanentSqlStates = new Set(["0A", "21", "22", "23", "42", "44", "54", "P0"])

const bySqlState = (code: string): FailureClass | undefined => {
  const found = sqlStates.get(code)
  if (found !== undefined) return found
  if (code.length !== 5) return undefined
  if (code.startsWith("28")) return blocked("the database refused the credentials")
  return permanentSqlStates.has(code.slice(0, 2)) ? { _tag: "permanent" } : undefined
}
