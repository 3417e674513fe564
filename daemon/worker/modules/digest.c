/* Digests by libcrypto. The input is a byte string, the result its digest in lower-case
 * hexadecimal, as sha256sum and its like print it. */
#include <openssl/evp.h>
#include <stddef.h>

#include "daemon/worker/poold-module.h"

/* Between two questions whether the job is to end. */
#define STEP_BYTES (4u * 1024u * 1024u)

/* X(identifier, name of the function, name in libcrypto) */
#define DIGESTS(X)                                                                                 \
	X(md5, "md5", "MD5")                                                                       \
	X(sha1, "sha1", "SHA1")                                                                    \
	X(sha224, "sha224", "SHA2-224")                                                            \
	X(sha256, "sha256", "SHA2-256")                                                            \
	X(sha384, "sha384", "SHA2-384")                                                            \
	X(sha512, "sha512", "SHA2-512")                                                            \
	X(sha512_256, "sha512-256", "SHA2-512/256")                                                \
	X(sha3_256, "sha3-256", "SHA3-256")                                                        \
	X(sha3_512, "sha3-512", "SHA3-512")                                                        \
	X(blake2s256, "blake2s256", "BLAKE2S-256")                                                 \
	X(blake2b512, "blake2b512", "BLAKE2B-512")

enum digest {
#define X(id, name, algorithm) DIGEST_##id,
	DIGESTS(X)
#undef X
		_DIGEST_MAX,
};

static const char *const algorithms[_DIGEST_MAX] = {
#define X(id, name, algorithm) [DIGEST_##id] = algorithm,
	DIGESTS(X)
#undef X
};

/* Looked up once, before the fork. NULL: not in this libcrypto, or not allowed by its
 * configuration. */
static EVP_MD *methods[_DIGEST_MAX];

static int preload(void)
{
	for (int i = 0; i < _DIGEST_MAX; i++)
		methods[i] = EVP_MD_fetch(NULL, algorithms[i], NULL);
	return 0;
}

static void fini(void)
{
	for (int i = 0; i < _DIGEST_MAX; i++)
		EVP_MD_free(methods[i]);
}

static int fail_crypto(poold_job *job, enum digest digest)
{
	return poold_job_fail(
		job, "unavailable", "libcrypto cannot compute %s", algorithms[digest]);
}

/* 0 with the digest, or what run gives. */
static int compute(poold_job *job, enum digest digest, EVP_MD_CTX *context, const char *bytes,
	size_t n, unsigned char *ret, unsigned int *ret_len)
{
	if (!EVP_DigestInit_ex2(context, methods[digest], NULL))
		return fail_crypto(job, digest);
	while (n > 0) {
		size_t step = n < STEP_BYTES ? n : STEP_BYTES;

		if (poold_job_cancelled(job))
			return poold_job_fail(job, "stopped", "The function was told to end");
		if (!EVP_DigestUpdate(context, bytes, step))
			return fail_crypto(job, digest);
		bytes += step;
		n -= step;
	}
	return EVP_DigestFinal_ex(context, ret, ret_len) ? 0 : fail_crypto(job, digest);
}

static int give_hex(poold_job *job, const unsigned char *bytes, unsigned int n)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * EVP_MAX_MD_SIZE];

	for (unsigned int i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return poold_job_result_text(job, text, 2 * n);
}

static int run_digest(poold_job *job, enum digest digest)
{
	unsigned char result[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context;
	unsigned int len;
	const void *bytes;
	size_t n;
	int r;

	r = poold_job_input_bytes(job, &bytes, &n);
	if (r < 0)
		return poold_job_fail(job, "bad_input", "The input is a byte string");
	if (!methods[digest])
		return fail_crypto(job, digest);
	context = EVP_MD_CTX_new();
	if (!context)
		return fail_crypto(job, digest);
	r = compute(job, digest, context, bytes, n, result, &len);
	EVP_MD_CTX_free(context);
	return r < 0 ? r : give_hex(job, result, len);
}

#define X(id, name, algorithm)                                                                     \
	static int run_##id(poold_job *job)                                                        \
	{                                                                                          \
		return run_digest(job, DIGEST_##id);                                               \
	}
DIGESTS(X)
#undef X

static const struct poold_function functions[] = {
#define X(id, name, algorithm)                                                                     \
	{name, POOLD_FUNCTION_PURE, "Digest " algorithm " of a byte string, in hexadecimal.",      \
		run_##id},
	DIGESTS(X)
#undef X
		{NULL, 0, NULL, NULL},
};

const struct poold_module poold_module = {
	.abi = POOLD_MODULE_ABI,
	.name = "digest",
	.functions = functions,
	.preload = preload,
	.fini = fini,
};
