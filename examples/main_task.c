/* SPDX-License-Identifier: MIT */
/*
 * main_task.c: a program whose main function is a task. It counts ticks until there have been three,
 * or until SIGINT or SIGTERM begins the shutdown; what it returns is the exit status.
 */
#include <stdint.h>
#include <stdio.h>
#include <tmlrt.h>

typedef struct {
    TMLRT_FRAME;
    tmlrt_interval_t period;
    tmlrt_op_t       tick, stop, either;
    tmlrt_op_t      *ops[2];
    int              ticks;
} program_t;

static void wait_for_either(program_t *s) {
    s->ops[0] = &s->tick;
    s->ops[1] = &s->stop;
    tmlrt_op_tick(&s->tick, &s->period);
    tmlrt_op_stopping(&s->stop, NULL);
    tmlrt_op_any(&s->either, s->ops, 2);
}

static int32_t program_poll(void *state, tmlrt_cx_t *cx, void *result) {
    program_t *s = state;
    TMLRT_BEGIN(s);
    tmlrt_interval_init(&s->period, NULL, 0, 20 * TMLRT_MS, TMLRT_MISSED_DELAY);
    while (s->ticks < 3) {
        TMLRT_AWAIT(s, cx, &s->either, wait_for_either(s));
        if (tmlrt_op_result(&s->either) == 1) break; /* the shutdown */
        s->ticks++;
    }
    printf("main_task: %d ticks\n", s->ticks);
    *(int32_t *)result = s->ticks == 3 ? 0 : 1;
    TMLRT_END(s);
}

static const tmlrt_task_type_t program_type =
    TMLRT_TASK_TYPE_RESULT(program_t, int32_t, program_poll, NULL);

int main(void) {
    program_t program = {0};
    return tmlrt_main(&program_type, &program, NULL);
}
