/* What a function tells the host about itself before it runs: a custom section "ganglion" of the module, JSON in UTF-8. */
#ifndef GANGLION_MANIFEST_H
#define GANGLION_MANIFEST_H

/* Says how the host finds, in the input, the key of the object that a call is about, so that it can run the whole call where
 * that object is. Once per module, at file scope:
 *
 *     GANGLION_OBJECT_KEY(first-word)   the input up to its first space
 *     GANGLION_OBJECT_KEY(input)        the whole input
 *     GANGLION_OBJECT_KEY(none)         there is none; also what a module without a manifest means
 *
 * It is advice for placement. What the guest may open does not depend on it. */
#ifdef __wasm__
#define GANGLION_OBJECT_KEY(rule)                                                                                             \
    __asm__(".section .custom_section.ganglion,\"\",@\n"                                                                      \
            ".ascii \"{\\\"object\\\":\\\"" #rule "\\\"}\"\n"                                                                 \
            ".text\n");
#else
#define GANGLION_OBJECT_KEY(rule) /* a program of this machine has no manifest */
#endif

#endif
