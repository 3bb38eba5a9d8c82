/* SPDX-License-Identifier: MPL-2.0 */
/* The table of faults. */
#include "tests/simulation/faults.h"

#include <string.h>

static const struct {
    const char *name, *text;
    unsigned percent;
} rows[FAULT_COUNT] = {
#define FAULT(name, percent, text) {#name, text, percent},
#include "tests/simulation/faults.def"
#undef FAULT
};

faults_t faults_of(uint64_t seed, unsigned storm)
{
    faults_t self;
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        self.chances[i].state = seed ^ (0xfa0170000u + i) << 20;
        self.rates[i] = (unsigned)chance_below(&self.chances[i], storm * rows[i].percent / 100 + 1);
    }
    return self;
}

void faults_end(faults_t *self)
{
    memset(self->rates, 0, sizeof self->rates);
}

bool faults_hits(faults_t *self, fault_t fault)
{
    return self->rates[fault] && chance_hits(&self->chances[fault], self->rates[fault]);
}

const char *fault_name(fault_t fault)
{
    return rows[fault].name;
}

const char *fault_text(fault_t fault)
{
    return rows[fault].text;
}

fault_t fault_named(const char *name, size_t size)
{
    unsigned i = 0;
    while (i < FAULT_COUNT && (strlen(rows[i].name) != size || memcmp(rows[i].name, name, size)))
        i++;
    return (fault_t)i;
}
